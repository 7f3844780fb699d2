"""Callback states are keyed by class: of two early-stopping callbacks the second overwrites the first in the file, and both load it.

Lightning-AI/pytorch-lightning: callback state_key (changelog 1.5), states keyed by type(callback)
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

DOC = 'Callback states are keyed by class: of two early-stopping callbacks the second overwrites the first in the file, and both load it. (Lightning-AI/pytorch-lightning: callback state_key (changelog 1.5), states keyed by type(callback))'
NAMES = ['callback', 'wait', 'best']


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


class EarlyStopping:
    def __init__(self, monitor, patience):
        self.monitor, self.patience, self.wait, self.best = monitor, patience, 0, float("inf")

    def state_key(self, fixed):
        return f"EarlyStopping[{self.monitor}]" if fixed else "EarlyStopping"

    def on_validation_end(self, metrics):
        value = metrics[self.monitor]
        if value < self.best:
            self.best, self.wait = value, 0
        else:
            self.wait += 1
        return self.wait > self.patience


class Trainer(Base):
    def setup(self):
        self.callbacks = [EarlyStopping("loss", 2), EarlyStopping("error", 3)]

    def step(self, i):
        loss = super().step(i)
        metrics = {"loss": [1, 2, 3, 4, 5, 6][i] * 0.1, "error": [9, 8, 7, 6, 5, 4][i] * 1.0}
        if any([c.on_validation_end(metrics) for c in self.callbacks]):
            for g in self.optimizer.param_groups:
                g["lr"] *= 0.1
        return loss

    def extra(self):
        return {"callbacks": {c.state_key(self.fixed): {"wait": c.wait, "best": c.best} for c in self.callbacks}}

    def restore(self, ck):
        for c in self.callbacks:
            vars(c).update(ck["callbacks"][c.state_key(self.fixed)])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
