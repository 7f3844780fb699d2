"""A class-aware sampler draws a class, then the next sample of that class's own shuffled cycle; the cycles' positions are not saved.

constructed after zhmiao/OpenLongTailRecognition-OLTR ClassAwareSampler
"""
import collections
import copy
import itertools
import json
import math
import os
import pathlib
import random
import threading
import time
from collections import defaultdict, deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "A class-aware sampler draws a class, then the next sample of that class's own shuffled cycle; the cycles' positions are not saved. (constructed after zhmiao/OpenLongTailRecognition-OLTR ClassAwareSampler)"
NAMES = ['cycle', 'class_iter', 'samples']


def batch(i, n=8, d=4):
    g = torch.Generator().manual_seed(1000 + i)
    return torch.randn(n, d, generator=g), torch.randn(n, 1, generator=g)


class Base:
    def __init__(self, fixed):
        self.fixed = fixed
        self.model = self.make_model()
        self.optimizer = self.make_optimizer()
        self.setup()

    def make_model(self):
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def make_optimizer(self):
        return torch.optim.AdamW(self.model.parameters(), lr=1e-2)

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

    def restore(self, ck):
        pass

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), **self.extra()}, path)

    def load(self, path):
        ck = torch.load(path, weights_only=False)
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        self.restore(ck)


class RandomCycle:
    def __init__(self, data, rng):
        self.data, self.rng, self.k = list(data), rng, len(data)

    def __next__(self):
        if self.k == len(self.data):
            self.k = 0
            self.rng.shuffle(self.data)
        self.k += 1
        return self.data[self.k - 1]


class Trainer(Base):
    def setup(self):
        self.rng = random.Random(5)
        self.classes = RandomCycle(range(2), self.rng)
        self.samples = {c: RandomCycle(range(10 * c, 10 * c + 3), self.rng) for c in range(2)}

    def step(self, i):
        return self.update(self.loss(*batch(next(self.samples[next(self.classes)]))))

    def extra(self):
        return {"rng": self.rng.getstate(), "classes": (list(self.classes.data), self.classes.k),
                "samples": {c: (list(s.data), s.k) for c, s in self.samples.items()}}

    def restore(self, ck):
        self.rng.setstate(ck["rng"])
        self.classes.data, self.classes.k = list(ck["classes"][0]), ck["classes"][1]
        if self.fixed:
            for c, s in self.samples.items():
                s.data, s.k = list(ck["samples"][c][0]), ck["samples"][c][1]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
