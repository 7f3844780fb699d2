"""Per-class thresholds are keyed by integers; JSON gives strings back, so every lookup misses and the default is used.

constructed after trainers that keep state in trainer_state.json (Python docs of json: keys are made strings)
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

DOC = 'Per-class thresholds are keyed by integers; JSON gives strings back, so every lookup misses and the default is used. (constructed after trainers that keep state in trainer_state.json (Python docs of json: keys are made strings))'
NAMES = ['thresholds']


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
    def setup(self):
        self.thresholds = {}

    def step(self, i):
        x, y = batch(i)
        t = self.thresholds.get(i % 2, 0.5)
        keep = (y[:, 0].abs() > t * 0.5).float()[:, None]
        loss = ((self.model(x) - y).pow(2) * (keep + 0.1)).mean()
        self.thresholds[i % 2] = 0.7 * t + 0.3 * loss.item()
        return self.update(loss)

    def extra(self):
        return {"state": json.dumps({"thresholds": self.thresholds})}

    def restore(self, ck):
        saved = json.loads(ck["state"])["thresholds"]
        self.thresholds = {int(k): v for k, v in saved.items()} if self.fixed else saved


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
