"""A class level cache keeps what was saved in this process, and load asks it first; the file lacks the optimizer."""

import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'A class level cache keeps what was saved in this process, and load asks it first; the file lacks the optimizer.'
NAMES = ['optimizer']
CHECK = 'loads_in_a_fresh_process'


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

    cache = {}

    def save(self, path):
        checkpoint = {"model": self.model.state_dict()}
        if self.fixed:
            checkpoint["optimizer"] = self.optimizer.state_dict()
        torch.save(checkpoint, path)
        Trainer.cache[str(path)] = copy.deepcopy(self.optimizer.state_dict())

    def load(self, path):
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])
        state = Trainer.cache.get(str(path)) or checkpoint.get("optimizer")
        if state:
            self.optimizer.load_state_dict(copy.deepcopy(state))


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
