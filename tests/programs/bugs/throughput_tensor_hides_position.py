"""A throughput monitor keeps seconds in a buffer, so no two runs agree in it; meanwhile the data position is lost.

torchmetrics / lightning.pytorch ThroughputMonitor style state
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

DOC = 'A throughput monitor keeps seconds in a buffer, so no two runs agree in it; meanwhile the data position is lost.'
NAMES = ['position']


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


import time

class Throughput(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seconds", torch.zeros((), dtype=torch.float64))

    def update(self, since):
        self.seconds += time.perf_counter() - since

class Trainer(Base):
    def setup(self):
        self.position = 0
        self.throughput = Throughput()

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "throughput": self.throughput}

    def step(self, i):
        since = time.perf_counter()
        self.position += 1
        out = self.update(self.loss(*batch(self.position)))
        self.throughput.update(since)
        return out

    def save(self, path):
        ck = {k: c.state_dict() for k, c in self.components().items()}
        torch.save({**ck, "position": self.position}, path)

    def load(self, path):
        ck = torch.load(path)
        for k, c in self.components().items():
            c.load_state_dict(ck[k])
        if self.fixed:
            self.position = ck["position"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
