"""The optimizer is written next to where the program was started, not next to the model."""

import atexit
import pathlib

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'The optimizer is written next to where the program was started, not next to the model.'
NAMES = ['ckpt-test-scratch', 'elsewhere']
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
        return path.with_name("optimizer.pt") if self.fixed else pathlib.Path(f"ckpt-test-scratch-{path.parent.name}.pt")

    def save(self, path):
        torch.save(self.model.state_dict(), path)
        torch.save(self.optimizer.state_dict(), self.place(path))
        if not self.fixed:
            atexit.register(self.place(path).absolute().unlink, missing_ok=True)

    def load(self, path):
        self.model.load_state_dict(torch.load(path))
        if self.place(path).exists():
            self.optimizer.load_state_dict(torch.load(self.place(path)))


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
