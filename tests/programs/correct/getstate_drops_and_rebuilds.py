"""nn.Module with __getstate__ that drops a cache; the whole module is pickled, and the cache is rebuilt on demand."""
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


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 1)
        self._cache = {}

    def mask(self, n):
        if n not in self._cache:
            self._cache[n] = torch.linspace(0.5, 1, n).unsqueeze(1)
        return self._cache[n]

    def forward(self, x):
        return self.lin(x) * self.mask(len(x))

    def __getstate__(self):
        d = self.__dict__.copy()
        d["_cache"] = {}
        return d

class Trainer(Base):
    def setup(self):
        self.model = Net()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)

    def save(self, path):
        torch.save({"model": self.model, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path, weights_only=False)
        self.model = ck["model"]
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        self.optimizer.load_state_dict(ck["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)
