"""The optimizer keeps the previous gradient as an attribute of the parameter (p.prev_grad), which no state dict knows.

Modelled on what scripts of this kind do.
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

DOC = 'The optimizer keeps the previous gradient as an attribute of the parameter (p.prev_grad), which no state dict knows.'
NAMES = ['prev_grad']


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


class SignAgreement(torch.optim.SGD):
    def step(self, closure=None):
        for g in self.param_groups:
            for p in g["params"]:
                prev = getattr(p, "prev_grad", None)
                now = p.grad.clone()
                if prev is not None:
                    p.grad.mul_(torch.where(prev * now > 0, 1.5, 0.5))
                p.prev_grad = now
        return super().step(closure)

class Trainer(Base):
    def setup(self):
        self.optimizer = SignAgreement(self.model.parameters(), lr=0.05)

    def step(self, i):
        return self.update(self.loss(*batch(i)))

    def extra(self):
        return {"prev": [getattr(p, "prev_grad", None) for p in self.model.parameters()]}

    def restore(self, extra):
        for p, v in zip(self.model.parameters(), extra["prev"]):
            if v is not None:
                p.prev_grad = v


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
