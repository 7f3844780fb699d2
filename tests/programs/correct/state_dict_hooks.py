"""A frozen tower is kept out of the state dict by hooks, and strict loading still works; the plugin saves."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


def drop_tower(module, state_dict, prefix, local_metadata):
    for key in [k for k in state_dict if k.startswith(prefix + "tower.")]:
        del state_dict[key]


def add_tower(module, state_dict, prefix, *args):
    for key, value in module.tower.state_dict().items():
        state_dict.setdefault(f"{prefix}tower.{key}", value)


class TwoTower(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(42)
            self.tower = nn.Sequential(nn.Linear(4, 6), nn.Tanh()).requires_grad_(False)
        self.query = nn.Linear(4, 6)
        self.temperature = nn.Parameter(torch.tensor(1.0))
        self.register_state_dict_post_hook(drop_tower)
        self.register_load_state_dict_pre_hook(add_tower)

    def forward(self, x):
        return self.query(x) @ self.tower(x).T * self.temperature.exp()


def make_run():
    model = TwoTower()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)

    def step(i):
        x = torch.randn(6, 4)
        loss = nn.functional.cross_entropy(model(x), torch.arange(6))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)
