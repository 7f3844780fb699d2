"""Two loaders with a worker each, shuffled by their own generators; a resume in an epoch reads what was read again."""
import collections
import contextlib
import contextvars
import copy
import dataclasses
import enum
import functools
import itertools
import json
import logging
import math
import os
import pathlib
import random
import tempfile
import threading
import time
import weakref
from collections import Counter, defaultdict, deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun


def batch(i, n=8, d=4):
    g = torch.Generator().manual_seed(1000 + i)
    return torch.randn(n, d, generator=g), torch.randn(n, 1, generator=g)


class Base:
    def __init__(self):
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


class Rows(torch.utils.data.Dataset):
    def __init__(self, offset, n):
        self.offset, self.n = offset, n

    def __len__(self):
        return self.n

    def __getitem__(self, k):
        x, y = batch(self.offset + k, n=1)
        return x[0] + torch.rand(4) * 0.01, y[0]


class Trainer(Base):
    def setup(self):
        self.generators = [torch.Generator().manual_seed(s) for s in (1, 2)]
        self.loaders = [torch.utils.data.DataLoader(Rows(100 * k, 8 + 4 * k), 4, shuffle=True, generator=g, num_workers=1) for k, g in enumerate(self.generators)]
        self.iters = [None, None]
        self.before = [g.get_state() for g in self.generators]
        self.taken = [0, 0]

    def take(self, k):
        if self.iters[k] is None:
            self.before[k] = self.generators[k].get_state()
            self.iters[k] = iter(self.loaders[k])
        got = next(self.iters[k], None)
        if got is None:
            self.iters[k], self.taken[k] = None, 0
            return self.take(k)
        self.taken[k] += 1
        return got

    def step(self, i):
        k = i % 2
        return self.update(self.loss(*self.take(k)))

    def extra(self):
        states = [b if it is not None else g.get_state() for b, it, g in zip(self.before, self.iters, self.generators)]
        return {"states": states, "taken": [t if it is not None else 0 for t, it in zip(self.taken, self.iters)]}

    def restore(self, ck):
        self.iters, self.taken = [None, None], [0, 0]
        for k in range(2):
            self.generators[k].set_state(ck["states"][k])
            for _ in range(ck["taken"][k]):
                self.take(k)


EXPECT = True


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))
