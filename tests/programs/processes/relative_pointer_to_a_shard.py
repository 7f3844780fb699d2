"""The checkpoint names its second file by the way there from the working directory, which is another one at the next start."""

import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'The checkpoint names its second file by the way there from the working directory, which is another one at the next start.'
NAMES = ['working directory']
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

    def save(self, path):
        shard = path.with_name("optimizer.pt")
        torch.save(self.optimizer.state_dict(), shard)
        start = path.parent if self.fixed else "."
        torch.save({"model": self.model.state_dict(), "shard": os.path.relpath(shard, start)}, path)

    def load(self, path):
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])
        shard = checkpoint["shard"]
        self.optimizer.load_state_dict(torch.load(path.parent / shard if self.fixed else shard))


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
