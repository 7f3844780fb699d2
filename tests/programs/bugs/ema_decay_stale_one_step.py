"""The annealed EMA decay is set at the end of each update; after loading it is the initial one for a single update.

cwx-worst-one/EAT#13
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

DOC = 'The annealed EMA decay is set at the end of each update; after loading it is the initial one for a single update. (cwx-worst-one/EAT#13)'
NAMES = ['decay', 'ema']


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


class EMA:
    def __init__(self, model):
        self.shadow = copy.deepcopy(model)
        self.decay = 0.5

    def step(self, model):
        with torch.no_grad():
            for s, p in zip(self.shadow.parameters(), model.parameters()):
                s.lerp_(p, 1 - self.decay)

    def set_decay(self, updates):
        self.decay = min(0.99, 0.5 + 0.1 * updates)


class Trainer(Base):
    def setup(self):
        self.ema, self.num_updates = EMA(self.model), 0

    def step(self, i):
        loss = super().step(i)
        self.ema.step(self.model)
        self.num_updates += 1
        self.ema.set_decay(self.num_updates)
        return loss

    def predict(self):
        return self.ema.shadow(batch(99)[0])

    def extra(self):
        return {"ema": self.ema.shadow.state_dict(), "num_updates": self.num_updates}

    def restore(self, ck):
        self.ema.shadow.load_state_dict(ck["ema"])
        self.num_updates = ck["num_updates"]
        if self.fixed:
            self.ema.set_decay(self.num_updates)


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
