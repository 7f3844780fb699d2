"""MinMaxMetric keeps min_val and max_val as plain tensors, and the reward is rescaled by them.

https://github.com/Lightning-AI/torchmetrics/issues/3323
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

DOC = 'MinMaxMetric keeps min_val and max_val as plain tensors, and the reward is rescaled by them.'
NAMES = ['min_val', 'max_val']


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


class MinMaxMetric(nn.Module):
    def __init__(self):
        super().__init__()
        self.min_val, self.max_val = torch.tensor(math.inf), torch.tensor(-math.inf)

    def forward(self, v):
        self.min_val, self.max_val = torch.minimum(self.min_val, v), torch.maximum(self.max_val, v)
        return (v - self.min_val) / (self.max_val - self.min_val + 1)

class Trainer(Base):
    def setup(self):
        self.metric = MinMaxMetric()

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "metric": self.metric}

    def step(self, i):
        loss = self.loss(*batch(i))
        return self.update(loss * (1 + self.metric(loss.detach())))

    def save(self, path):
        ck = {k: c.state_dict() for k, c in self.components().items()}
        torch.save({**ck, "range": (self.metric.min_val, self.metric.max_val)}, path)

    def load(self, path):
        ck = torch.load(path)
        for k, c in self.components().items():
            c.load_state_dict(ck[k])
        if self.fixed:
            self.metric.min_val, self.metric.max_val = ck["range"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
