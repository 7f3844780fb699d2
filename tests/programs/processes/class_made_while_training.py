"""The class of what is pickled is made at the first training step and put among the globals; a new process has none when it loads."""

import collections
import io
import pickle

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'The class of what is pickled is made at the first training step and put among the globals; a new process has none when it loads.'
NAMES = ['Statistics']
CHECK = 'loads_in_a_fresh_process'


def statistics():
    if "Statistics" not in globals():
        globals()["Statistics"] = collections.namedtuple("Statistics", "loss steps", module=__name__)
    return globals()["Statistics"]


class Trainer:
    def __init__(self, fixed):
        self.fixed = fixed
        self.last = None
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
        self.last = statistics()(loss.item(), i)
        return loss.item()

    def save(self, path):
        with open(path, "wb") as file:
            pickle.dump([self.last, io_of(self.model.state_dict()), io_of(self.optimizer.state_dict())], file)

    def load(self, path):
        if self.fixed:
            statistics()
        with open(path, "rb") as file:
            self.last, model, optimizer = pickle.load(file)
        self.model.load_state_dict(torch.load(io.BytesIO(model)))
        self.optimizer.load_state_dict(torch.load(io.BytesIO(optimizer)))


def io_of(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
