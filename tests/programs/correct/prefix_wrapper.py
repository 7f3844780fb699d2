"""The model runs inside a wrapper; files hold the plain names, with `module.` and `_orig_mod.` stripped."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Wrapper(nn.Module):
    """Stands for DistributedDataParallel: one more level of names, and everything else forwarded."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("module"), name)

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)


def strip(state):
    out = {}
    for key, value in state.items():
        while key.startswith(("module.", "_orig_mod.")):
            key = key.split(".", 1)[1]
        out[key] = value
    return out


def unwrap(model):
    while isinstance(model, Wrapper):
        model = model.module
    return model


def make_run():
    model = Wrapper(Wrapper(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    def step(i):
        x = torch.eye(4).roll(i, 0) + 0.1 * i
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 2, 0]))
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save({"model": strip(model.state_dict()), "optimizer": optimizer.state_dict()}, path)

    def load(path):
        s = torch.load(path)
        unwrap(model).load_state_dict(strip(s["model"]))
        optimizer.load_state_dict(s["optimizer"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)
