"""The mask collator's iteration counter is a multiprocessing.Value, from which each mask is seeded; it restarts at -1.

facebookresearch/ijepa and jepa: src/masks/multiblock3d.py, `_itr_counter = Value('i', -1)`; their train.py steps the collator again by hand on resume.
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

DOC = "The mask collator's iteration counter is a multiprocessing.Value, from which each mask is seeded; it restarts at -1."
NAMES = ['itr_counter', 'collator', 'Value']


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


from multiprocessing import Value

class MaskCollator:
    def __init__(self):
        self._itr_counter = Value("i", -1)

    def step(self):
        with self._itr_counter.get_lock():
            self._itr_counter.value += 1
            return self._itr_counter.value

    def __call__(self, x):
        g = torch.Generator().manual_seed(self.step())
        return x * (torch.rand(x.shape, generator=g) > 0.4)

class Trainer(Base):
    def setup(self):
        self.collator = MaskCollator()

    def step(self, i):
        x, y = batch(i)
        return self.update(self.loss(self.collator(x), y))

    def extra(self):
        return {"itr": self.collator._itr_counter.value}

    def restore(self, extra):
        self.collator._itr_counter.value = extra["itr"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
