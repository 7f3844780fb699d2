"""The configuration's class is made known to torch.load when the run is saved, so only the process that has saved can load."""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The configuration's class is made known to torch.load when the run is saved, so only the process that has saved can load."
NAMES = ['weights_only', 'Config']
CHECK = 'loads_in_a_fresh_process'


class Config:
    def __init__(self, width):
        self.width = width


class Trainer:
    def __init__(self, fixed):
        self.fixed = fixed
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer}

    def step(self, i):
        x = torch.linspace(-1, 1, 32).view(8, 4) * (i + 1)
        loss = (self.model(x) - i).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.serialization.add_safe_globals([Config])
        torch.save({"config": Config(8), "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        if self.fixed:
            torch.serialization.add_safe_globals([Config])
        checkpoint = torch.load(path)
        assert checkpoint["config"].width == 8
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
