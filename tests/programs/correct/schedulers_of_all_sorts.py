"""Schedulers of all sorts, saved and loaded behind the optimizer."""
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


S = torch.optim.lr_scheduler


class Decay:
    def __init__(self):
        self.calls = 0

    def __call__(self, epoch):
        self.calls += 1
        return 0.9 ** self.calls


MAKERS = {
    "step": lambda o: S.StepLR(o, 2, 0.5),
    "multi_step": lambda o: S.MultiStepLR(o, [1, 1, 4], 0.5),
    "constant": lambda o: S.ConstantLR(o, 0.5, 3),
    "linear": lambda o: S.LinearLR(o, 0.1, total_iters=4),
    "exponential": lambda o: S.ExponentialLR(o, 0.9),
    "polynomial": lambda o: S.PolynomialLR(o, 5, 2.0),
    "cosine": lambda o: S.CosineAnnealingLR(o, 3, 1e-4),
    "cyclic": lambda o: S.CyclicLR(o, 1e-3, 1e-2, 2, cycle_momentum=False),
    "cyclic_scaled": lambda o: S.CyclicLR(o, 1e-3, 1e-2, 2, mode="exp_range", gamma=0.9, cycle_momentum=False),
    "one_cycle": lambda o: S.OneCycleLR(o, 0.02, total_steps=8),
    "warm_restarts": lambda o: S.CosineAnnealingWarmRestarts(o, 2, 2),
    "lambda_object": lambda o: S.LambdaLR(o, Decay()),
    "multiplicative": lambda o: S.MultiplicativeLR(o, lambda e: 0.9 if e % 2 else 1.05),
    "chained": lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.1, 2), S.ExponentialLR(o, 0.9)], o),
    "sequential": lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.1, total_iters=2), S.CosineAnnealingLR(o, 4), S.ExponentialLR(o, 0.5)], [2, 4]),
    "plateau": lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=1, cooldown=1),
}


class Trainer(Base):
    def __init__(self, make):
        super().__init__()
        self.scheduler = make(self.optimizer)

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def step(self, i):
        loss = super().step(i)
        self.scheduler.step(*([1.0 + i] if isinstance(self.scheduler, S.ReduceLROnPlateau) else []))
        return loss

    def extra(self):
        return {"scheduler": self.scheduler.state_dict()}

    def restore(self, ck):
        self.scheduler.load_state_dict(ck["scheduler"])


def run(make):
    t = Trainer(make)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


RUNS = [(name, functools.partial(run, make)) for name, make in MAKERS.items()]
RUNS += [(name + "_default", functools.partial(lambda make: dataclasses.replace(run(make), save=None, load=None), make)) for name, make in MAKERS.items()]
