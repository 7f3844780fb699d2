"""Mean and standard deviation of the observations are buffers; the count they were made from is a plain int, so the first batch after a resume replaces them.

leggedrobotics/rsl_rl#17, #30 (EmpiricalNormalization)
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

DOC = 'Mean and standard deviation of the observations are buffers; the count they were made from is a plain int, so the first batch after a resume replaces them. (leggedrobotics/rsl_rl#17, #30 (EmpiricalNormalization))'
NAMES = ['count']


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


class EmpiricalNormalization(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.register_buffer("_mean", torch.zeros(1, d))
        self.register_buffer("_var", torch.ones(1, d))
        self.count = 0

    def forward(self, x):
        if self.training:
            self.count += len(x)
            rate = len(x) / self.count
            delta = x.mean(0, keepdim=True) - self._mean
            self._mean += rate * delta
            self._var += rate * (x.var(0, keepdim=True) - self._var + delta * (x.mean(0, keepdim=True) - self._mean))
        return (x - self._mean) / (self._var.sqrt() + 1e-2)


class Trainer(Base):
    def make_model(self):
        return nn.Sequential(EmpiricalNormalization(4), nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def extra(self):
        return {"count": self.model[0].count}

    def restore(self, ck):
        if self.fixed:
            self.model[0].count = ck["count"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
