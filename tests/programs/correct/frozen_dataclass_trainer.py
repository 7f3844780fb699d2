"""A frozen slotted dataclass is the trainer, with a dict for what changes."""
import copy
import functools
import itertools
import json
import math
import os
import pathlib
import random
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun


def batch(i, n=8, d=4):
    g = torch.Generator().manual_seed(1000 + i)
    return torch.randn(n, d, generator=g), torch.randn(n, 1, generator=g)


class Base:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.setup()

    def setup(self):
        pass

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer}

    def loss(self, x, y):
        return (self.model(x) - y).pow(2).mean()

    def update(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def step(self, i):
        return self.update(self.loss(*batch(i)))

    def extra(self):
        return {}

    def restore(self, extra):
        pass

    def payload(self):
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "extra": self.extra()}

    def accept(self, ck):
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        self.restore(ck["extra"])

    def save(self, path):
        torch.save(self.payload(), path)

    def load(self, path):
        self.accept(torch.load(path, weights_only=False))


import dataclasses

@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    model: nn.Module
    optimizer: torch.optim.Optimizer
    progress: dict = dataclasses.field(default_factory=lambda: {"n": 0})

    def step(self, i):
        self.progress["n"] += 1
        x, y = batch(i)
        loss = (self.model(x) - y).pow(2).mean() / self.progress["n"]
        self.optimizer.zero_grad(); loss.backward(); self.optimizer.step()
        return loss

    def save(self, path):
        torch.save([self.model.state_dict(), self.optimizer.state_dict(), self.progress], path)

    def load(self, path):
        a, b, c = torch.load(path)
        self.model.load_state_dict(a); self.optimizer.load_state_dict(b); self.progress.update(c)

def make_run():
    m = nn.Linear(4, 1)
    t = Frozen(m, torch.optim.Adam(m.parameters(), lr=1e-2))
    return TrainingRun.from_object(t, step=t.step, save=t.save, load=t.load)
