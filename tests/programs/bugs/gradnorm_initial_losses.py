"""GradNorm weighs tasks by the loss relative to the one of the first step, recorded when there is none yet: a resumed run records it anew.

constructed after GradNorm implementations (LucasBoTang/GradNorm: 'if iters == 0: l0 = loss')
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

DOC = "GradNorm weighs tasks by the loss relative to the one of the first step, recorded when there is none yet: a resumed run records it anew. (constructed after GradNorm implementations (LucasBoTang/GradNorm: 'if iters == 0: l0 = loss'))"
NAMES = ['initial']


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
    def make_model(self):
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))

    def setup(self):
        self.initial = None

    def step(self, i):
        x, y = batch(i)
        out = self.model(x)
        losses = torch.stack([(out[:, 0] - y[:, 0]).pow(2).mean(), (out[:, 1] - x[:, 0]).abs().mean()])
        if self.initial is None:
            self.initial = losses.detach().clone()
        rate = losses.detach() / self.initial
        return self.update((losses * (rate / rate.mean())).sum())

    def extra(self):
        return {"initial": self.initial}

    def restore(self, ck):
        if self.fixed:
            self.initial = ck["initial"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
