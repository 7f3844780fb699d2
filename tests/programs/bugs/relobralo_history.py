"""The loss aggregator's running weights (ReLoBRaLo) are plain tensors that the checkpoint does not have.

https://github.com/NVIDIA/physicsnemo/issues/1719
"""
import copy
import functools
import itertools
import json
import math
import os
import random
from collections import Counter, defaultdict, deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The loss aggregator's running weights (ReLoBRaLo) are plain tensors that the checkpoint does not have."
NAMES = ['lmbda', 'aggregator', 'losses_prev']


def batch(i, n=8, d=4):
    g = torch.Generator().manual_seed(1000 + i)
    return torch.randn(n, d, generator=g), torch.randn(n, 1, generator=g)


class Base:
    def __init__(self, fixed):
        self.fixed = fixed
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

    def extra(self):
        return {}

    def restore(self, extra):
        pass

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "extra": self.extra() if self.fixed else {}}, path)

    def load(self, path):
        ck = torch.load(path, weights_only=False)
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        if self.fixed:
            self.restore(ck["extra"])


class Relobralo:
    def __init__(self):
        self.lmbda, self.losses_prev = torch.ones(2), None

    def __call__(self, losses):
        now = torch.stack(losses).detach()
        if self.losses_prev is not None:
            self.lmbda = 0.9 * self.lmbda + 0.1 * 2 * torch.softmax(now / self.losses_prev, 0)
        self.losses_prev = now
        return sum(w * l for w, l in zip(self.lmbda, losses))

class Trainer(Base):
    def setup(self):
        self.aggregator = Relobralo()

    def step(self, i):
        x, y = batch(i)
        out = self.model(x)
        return self.update(self.aggregator([(out - y).pow(2).mean(), (out - x[:, :1]).abs().mean()]))

    def extra(self):
        return {"l": self.aggregator.lmbda, "p": self.aggregator.losses_prev}

    def restore(self, extra):
        self.aggregator.lmbda, self.aggregator.losses_prev = extra["l"], extra["p"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
