"""The optimizer goes to a scratch folder named after the process; the checkpoint that is copied away does not contain it."""

import atexit
import os
import tempfile

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'The optimizer goes to a scratch folder named after the process; the checkpoint that is copied away does not contain it.'
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

    def place(self, path):
        if self.fixed:
            return str(path) + ".optimizer"
        return os.path.join(tempfile.gettempdir(), f"ckpt-scratch-{os.getpid()}-{os.path.basename(os.path.dirname(path))}.pt")

    def save(self, path):
        torch.save(self.model.state_dict(), path)
        torch.save(self.optimizer.state_dict(), self.place(path))
        if not self.fixed:
            atexit.register(lambda: os.path.exists(self.place(path)) and os.remove(self.place(path)))

    def load(self, path):
        self.model.load_state_dict(torch.load(path))
        if os.path.exists(self.place(path)):
            self.optimizer.load_state_dict(torch.load(self.place(path)))


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
