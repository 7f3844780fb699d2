"""SimpleNamespace, NamedTuple, ChainMap, mappingproxy, OrderedDict as an LRU, Fraction and Decimal in the state."""
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


import decimal
import fractions
import types
import typing


class Point(typing.NamedTuple):
    loss: float
    step: int


class Trainer(Base):
    def setup(self):
        self.cfg = collections.ChainMap({"seen": 0}, types.MappingProxyType({"scale": 1.0}))
        self.ns = types.SimpleNamespace(best=Point(math.inf, -1), ratio=fractions.Fraction(1, 3), temp=decimal.Decimal("0.9"))
        self.lru = collections.OrderedDict()

    def projection(self, k):
        if k in self.lru:
            self.lru.move_to_end(k)
        else:
            self.lru[k] = torch.randn(4, generator=torch.Generator().manual_seed(k))
            if len(self.lru) > 2:
                self.lru.popitem(last=False)
        return self.lru[k]

    def step(self, i):
        seen = self.cfg["seen"]
        x, y = batch(seen)
        loss = self.update(self.loss(x + self.projection(seen % 3) * float(self.ns.ratio), y)) * self.cfg["scale"] * float(self.ns.temp)
        self.cfg["seen"] = seen + 1
        self.ns.ratio = self.ns.ratio * fractions.Fraction(2, 3) + fractions.Fraction(1, 7)
        self.ns.temp *= decimal.Decimal("0.95")
        if loss < self.ns.best.loss:
            self.ns.best = Point(loss, seen)
        return loss, self.ns.best.step

    def extra(self):
        return {"seen": self.cfg["seen"], "best": tuple(self.ns.best), "ratio": self.ns.ratio.as_integer_ratio(), "temp": str(self.ns.temp)}

    def restore(self, ck):
        self.cfg["seen"] = ck["seen"]
        self.ns.best, self.ns.ratio, self.ns.temp = Point(*ck["best"]), fractions.Fraction(*ck["ratio"]), decimal.Decimal(ck["temp"])


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))
