"""The callback's patience is restored from the checkpoint and then reset by its on_train_start hook, which runs at the first step.

Lightning-AI/pytorch-lightning#1463
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

DOC = "The callback's patience is restored from the checkpoint and then reset by its on_train_start hook, which runs at the first step. (Lightning-AI/pytorch-lightning#1463)"
NAMES = ['wait', 'started']


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
    def __init__(self):
        self.wait, self.best, self.stopped = 0, float("inf"), False

    def on_train_start(self):
        self.wait, self.best = 0, float("inf")

    def on_validation_end(self, value):
        if value < self.best:
            self.best, self.wait = value, 0
        else:
            self.wait += 1
            self.stopped = self.wait >= 3


class Trainer(Base):
    def setup(self):
        self.callback, self.started = EarlyStopping(), False

    def step(self, i):
        if not self.started:
            self.callback.on_train_start()
            self.started = True
        if self.callback.stopped:
            return "stopped"
        loss = super().step(i)
        self.callback.on_validation_end([1.0, 0.9, 1.1, 1.2, 1.3, 1.4][i])
        return loss

    def extra(self):
        return {"callback": dict(vars(self.callback))}

    def restore(self, ck):
        vars(self.callback).update(ck["callback"])
        if self.fixed:
            self.started = True


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
