"""The same with a merged state dict: groups one after the other, state keyed by (optimizer, index)."""
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


class Both:
    def __init__(self, *optimizers):
        self.optimizers = optimizers

    @property
    def param_groups(self):
        return [g for o in self.optimizers for g in o.param_groups]

    def zero_grad(self):
        for o in self.optimizers:
            o.zero_grad()

    def step(self):
        for o in self.optimizers:
            o.step()

    def state_dict(self):
        parts = [o.state_dict() for o in self.optimizers]
        return {"state": {(n, k): v for n, p in enumerate(parts) for k, v in p["state"].items()},
                "param_groups": [g for p in parts for g in p["param_groups"]]}

    def load_state_dict(self, d):
        for n, o in enumerate(self.optimizers):
            o.load_state_dict({"state": {k[1]: v for k, v in d["state"].items() if k[0] == n},
                               "param_groups": [d["param_groups"][n]]})

class Trainer(Base):
    def setup(self):
        ps = list(self.model.parameters())
        self.optimizer = Both(torch.optim.SGD(ps[::2], lr=0.05, momentum=0.9), torch.optim.Adam(ps[1::2], lr=1e-2))


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)
