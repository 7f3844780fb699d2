"""save() appends its own suffix to whatever path it is given, and load() knows it."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

SUFFIX = ".ckpt"


def with_suffix(path):
    return f"{path}{SUFFIX}"


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(2, 8), nn.Hardswish(), nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)

    def step(self, i):
        x = torch.linspace(0, 5, 16).view(8, 2).add(i).cos()
        self.optimizer.zero_grad()
        loss = (self.model(x) - x[:, :1] ** 2).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, with_suffix(path))
        return with_suffix(path)

    def load(self, path):
        s = torch.load(with_suffix(path))
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
