"""Weights are saved under the hash() of their names to make the file smaller; no other process finds them."""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'Weights are saved under the hash() of their names to make the file smaller; no other process finds them.'
NAMES = ['model']
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

    def key(self, name):
        return name if self.fixed else hash(name)

    def save(self, path):
        weights = {self.key(name): p.detach().clone() for name, p in self.model.named_parameters()}
        torch.save({"weights": weights, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        checkpoint = torch.load(path)
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                p.copy_(checkpoint["weights"].get(self.key(name), p))
        self.optimizer.load_state_dict(checkpoint["optimizer"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
