"""A loader's state saved exactly at the end of an epoch is restored as an exhausted iterator, which the loop takes for a whole epoch.

meta-pytorch/data#1437
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

DOC = "A loader's state saved exactly at the end of an epoch is restored as an exhausted iterator, which the loop takes for a whole epoch. (meta-pytorch/data#1437)"
NAMES = ['yielded', 'loader', 'epoch']


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


class Loader:
    def __init__(self, fixed):
        self.fixed, self.yielded = fixed, 0

    def __iter__(self):
        while self.yielded < 3:
            self.yielded += 1
            yield self.yielded - 1
        self.yielded = 0


class Trainer(Base):
    def setup(self):
        self.loader, self.epoch = Loader(self.fixed), 0
        self.it = None

    def step(self, i):
        while True:
            if self.it is None:
                self.it = iter(self.loader)
            k = next(self.it, None)
            if k is not None:
                break
            self.it, self.epoch = None, self.epoch + 1
        return self.update(self.loss(*batch(10 * self.epoch + k)))

    def extra(self):
        ended = self.loader.yielded == 3 and self.fixed
        return {"yielded": 0 if ended else self.loader.yielded, "epoch": self.epoch + ended}

    def restore(self, ck):
        self.loader.yielded, self.epoch, self.it = ck["yielded"] % (3 if not self.fixed else 10), ck["epoch"], None


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
