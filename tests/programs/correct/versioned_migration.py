"""A module at _version = 2 that reads version 1: files without metadata would be migrated a second time."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class LogScale(nn.Module):
    """Version 1 stored `scale`, version 2 stores its logarithm under the same name."""

    _version = 2

    def __init__(self, n):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(n) * 0.1)

    def forward(self, x):
        return x * self.scale.exp()

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        if local_metadata.get("version", 1) < 2:
            state_dict[prefix + "scale"] = state_dict[prefix + "scale"].clamp_min(1e-8).log()
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(3, 5), LogScale(5), nn.Tanh(), nn.Linear(5, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)

    def step(self, i):
        x = torch.linspace(-1, 1, 24).view(8, 3).mul(i + 1)
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.prod(1, keepdim=True).tanh()).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
