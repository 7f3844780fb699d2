"""State holds objects of classes without ==, with slots, with an odd == and one that is not hashable."""
import copy
import functools
import itertools
import json
import math
import os
import pathlib
import random
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping

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

    def step(self, i):
        return self.update(self.loss(*batch(i)))

    def extra(self):
        return {}

    def restore(self, extra):
        pass

    def payload(self):
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "extra": self.extra()}

    def accept(self, ck):
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        self.restore(ck["extra"])

    def save(self, path):
        torch.save(self.payload(), path)

    def load(self, path):
        self.accept(torch.load(path, weights_only=False))


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a

class Odd:
    def __init__(self, t):
        self.t = t

    def __eq__(self, other):
        return self.t == other.t   # a tensor

class Plain:
    def __init__(self):
        self.inner = Slotted(1)
        self.me = self

class Box:
    def __init__(self):
        self.items = [Slotted(torch.zeros(2)), Odd(torch.ones(3)), Plain(), object, slice(1, 2), range(3), bytearray(b"x")]

    def state_dict(self):
        return {"items": self.items}

    def load_state_dict(self, s):
        self.items = s["items"]

class Trainer(Base):
    def setup(self):
        self.box = Box()

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "box": self.box}

    def step(self, i):
        self.box.items[0].a = self.box.items[0].a + i
        self.box.items[2].inner.a += 1
        self.box.items[6].append(i)
        return super().step(i)

    def extra(self):
        return self.box.state_dict()

    def restore(self, extra):
        self.box.load_state_dict(extra)


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)
