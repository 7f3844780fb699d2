"""Sampler and augmentation share one numpy Generator; load gives each a copy of its own, and from then on they draw the same numbers.

https://github.com/deepspeedai/DeepSpeed/issues/8405 (a sampler and its generator part on resume)
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

DOC = 'Sampler and augmentation share one numpy Generator; load gives each a copy of its own, and from then on they draw the same numbers.'
NAMES = ['generator', 'rng', 'shared', 'share']


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


class Sampler:
    def __init__(self, rng):
        self.rng = rng

    def pick(self):
        return int(self.rng.integers(50))

class Augment:
    def __init__(self, rng):
        self.rng = rng

    def __call__(self, x):
        return x + float(self.rng.normal())

class Trainer(Base):
    def setup(self):
        rng = np.random.default_rng(3)
        self.sampler, self.augment = Sampler(rng), Augment(rng)

    def step(self, i):
        x, y = batch(self.sampler.pick())
        return self.update(self.loss(self.augment(x), y))

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "rng": self.sampler.rng.bit_generator.state}, path)

    def load(self, path):
        ck = torch.load(path, weights_only=False)
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        self.sampler.rng = np.random.default_rng()
        self.sampler.rng.bit_generator.state = ck["rng"]
        if self.fixed:
            self.augment.rng = self.sampler.rng
        else:
            self.augment.rng = np.random.default_rng()
            self.augment.rng.bit_generator.state = ck["rng"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
