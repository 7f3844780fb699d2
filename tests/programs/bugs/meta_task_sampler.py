"""Reptile samples tasks with a list of random.Random, one for each task family; none is saved.

Modelled on what scripts of this kind do.
"""
import copy
import functools
import itertools
import json
import math
import os
import random
from collections import Counter, defaultdict, deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'Reptile samples tasks with a list of random.Random, one for each task family; none is saved.'
NAMES = ['samplers']


def batch(i, n=8, d=4):
    g = torch.Generator().manual_seed(1000 + i)
    return torch.randn(n, d, generator=g), torch.randn(n, 1, generator=g)


class Base:
    def __init__(self, fixed):
        self.fixed = fixed
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

    def extra(self):
        return {}

    def restore(self, extra):
        pass

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "extra": self.extra() if self.fixed else {}}, path)

    def load(self, path):
        ck = torch.load(path, weights_only=False)
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        if self.fixed:
            self.restore(ck["extra"])


class Trainer(Base):
    def setup(self):
        self.samplers = [random.Random(s) for s in range(2)]

    def step(self, i):
        task = self.samplers[i % 2].randrange(100)
        x, y = batch(task)
        fast = copy.deepcopy(self.model)
        inner = torch.optim.SGD(fast.parameters(), lr=0.05)
        for _ in range(2):
            loss = (fast(x) - y).pow(2).mean()
            inner.zero_grad(); loss.backward(); inner.step()
        self.optimizer.zero_grad()
        for p, f in zip(self.model.parameters(), fast.parameters()):
            p.grad = p.detach() - f.detach()
        self.optimizer.step()
        return loss.item()

    def extra(self):
        return {"s": [r.getstate() for r in self.samplers]}

    def restore(self, extra):
        for r, s in zip(self.samplers, extra["s"]):
            r.setstate(s)


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
