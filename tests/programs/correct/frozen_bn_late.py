"""Batch norm is frozen from step 3 on by the step itself; a cosine-annealed momentum is a plain attribute."""
import math

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)

    def prepare(self, i):
        self.model.train()
        bn = self.model[1]
        bn.momentum = 0.05 + 0.1 * math.cos(i / 6)
        if i >= 3:
            bn.eval()
            bn.weight.requires_grad_(False)
            bn.bias.requires_grad_(False)
            bn.weight.grad = bn.bias.grad = None

    def step(self, i):
        self.prepare(i)
        x = torch.arange(32.0).view(8, 4).mul(0.3).add(i).cos()
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), torch.arange(8) % 2)
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
