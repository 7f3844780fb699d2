"""A restored momentum buffer counts as past its first update, whatever the step: resumed from the very start, the first update is dampened.

tenstorrent/tt-metal#53222 (dampening of restored SGD buffers)
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

DOC = 'A restored momentum buffer counts as past its first update, whatever the step: resumed from the very start, the first update is dampened. (tenstorrent/tt-metal#53222 (dampening of restored SGD buffers))'
NAMES = ['momentum', 'optimizer.state[']


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


class Trainer(Base):
    def make_optimizer(self):
        return torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9, dampening=0.5)

    def save(self, path):
        momentum = [self.optimizer.state[p].get("momentum_buffer") for p in self.model.parameters()]
        if not self.fixed:
            momentum = [torch.zeros_like(p) if m is None else m for m, p in zip(momentum, self.model.parameters())]
        torch.save({"model": self.model.state_dict(), "momentum": momentum}, path)
        if not self.optimizer.state[next(self.model.parameters())]:
            self.optimizer.state.clear()

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"])
        self.optimizer.state.clear()
        for p, m in zip(self.model.parameters(), ck["momentum"]):
            if m is not None:
                self.optimizer.state[p]["momentum_buffer"] = m.clone()


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
