"""Noise seeded by the clock: no two runs are the same, and nobody wants them to be."""
import time

import torch
from torch import nn

from pytest_ckpt import TrainingRun

EXPECT = "undecidable"


class Trainer:
    def __init__(self):
        self.model = nn.Linear(4, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)

    def step(self, i):
        x = torch.linspace(-1, 1, 20).view(5, 4)
        x = x + 0.1 * torch.randn(5, 4, generator=torch.Generator().manual_seed(time.time_ns()))
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.sum(1, keepdim=True)).pow(2).mean()
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
