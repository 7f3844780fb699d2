"""A staging copy is refreshed where a tensor's _version moved; the EMA is updated through .data, which moves none, so later saves keep its first value.

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

DOC = "A staging copy is refreshed where a tensor's _version moved; the EMA is updated through .data, which moves none, so later saves keep its first value."
NAMES = ['ema']


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


class Trainer(Base):
    def setup(self):
        self.ema = copy.deepcopy(self.model)
        self.staging, self.versions = {}, {}

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "ema": self.ema}

    def step(self, i):
        pull = sum((p - a.detach()).abs().sum() for a, p in zip(self.ema.parameters(), self.model.parameters()))
        out = self.update(self.loss(*batch(i)) + 0.1 * pull)
        for a, p in zip(self.ema.parameters(), self.model.parameters()):
            a.data.mul_(0.7).add_(p.data, alpha=0.3)
        return out

    def staged(self, name, module):
        for key, tensor in module.state_dict(keep_vars=True).items():
            key = f"{name}.{key}"
            if self.fixed or self.versions.get(key) != tensor._version:
                self.staging[key], self.versions[key] = tensor.detach().clone(), tensor._version

    def save(self, path):
        self.staged("model", self.model)
        self.staged("ema", self.ema)
        torch.save({"tensors": self.staging, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        for name in ("model", "ema"):
            getattr(self, name).load_state_dict(
                {k[len(name) + 1:]: v for k, v in ck["tensors"].items() if k.startswith(name + ".")})
        self.optimizer.load_state_dict(ck["optimizer"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
