"""PowerSGD's state object has __slots__; error_dict and the warm-started Q are not checkpointed.

https://github.com/pytorch/pytorch/pull/79334
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

DOC = "PowerSGD's state object has __slots__; error_dict and the warm-started Q are not checkpointed."
NAMES = ['error_dict', 'q_memory']


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


class PowerSGDState:
    __slots__ = ("error_dict", "q_memory")

    def __init__(self):
        self.error_dict, self.q_memory = {}, {}

def powersgd(state, name, grad):
    m = grad + state.error_dict.get(name, 0)
    q = state.q_memory.get(name)
    if q is None:
        q = torch.ones(m.shape[1], 1)
    p = m @ q
    p = p / (p.norm() + 1e-8)
    state.q_memory[name] = m.T @ p
    out = p @ state.q_memory[name].T
    state.error_dict[name] = m - out
    return out

class Trainer(Base):
    def setup(self):
        self.comm = PowerSGDState()

    def step(self, i):
        loss = self.loss(*batch(i))
        self.optimizer.zero_grad()
        loss.backward()
        for name, p in self.model.named_parameters():
            if p.dim() == 2:
                p.grad = powersgd(self.comm, name, p.grad)
        self.optimizer.step()
        return loss.item()

    def extra(self):
        return {"e": self.comm.error_dict, "q": self.comm.q_memory}

    def restore(self, extra):
        self.comm.error_dict, self.comm.q_memory = extra["e"], extra["q"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
