"""Transitions are saved, the sum tree of priorities is rebuilt with equal ones.

https://github.com/pytorch/rl/pull/4014
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

DOC = 'Transitions are saved, the sum tree of priorities is rebuilt with equal ones.'
NAMES = ['priorities', 'tree']


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


class Replay:
    def __init__(self):
        self.items, self.priorities = [], np.zeros(16)

    def add(self, item):
        self.priorities[len(self.items)] = max(1.0, self.priorities.max())
        self.items.append(item)

class Trainer(Base):
    def setup(self):
        self.replay = Replay()

    def step(self, i):
        self.replay.add(batch(i, n=2))
        k = int(self.replay.priorities[: len(self.replay.items)].argmax())
        loss = self.loss(*self.replay.items[k])
        self.replay.priorities[k] = 0.7 * self.replay.priorities[k] * min(1.0, loss.item())
        return self.update(loss)

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "items": self.replay.items, "tree": torch.from_numpy(self.replay.priorities)}, path)

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        self.replay = Replay()
        for item in ck["items"]:
            self.replay.add(item)
        if self.fixed:
            self.replay.priorities = ck["tree"].numpy()


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
