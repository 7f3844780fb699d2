"""A forward hook standardises activations with running statistics that only the hook object holds; they restart.

https://github.com/NVIDIA/Model-Optimizer/pull/610 (Add checkpoint save/load to ForwardHook)
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

DOC = 'A forward hook standardises activations with running statistics that only the hook object holds; they restart.'
NAMES = ['running', 'hook', 'standard']


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


class Standardiser:
    def __init__(self):
        self.running = torch.zeros(8)

    def __call__(self, module, args, out):
        self.running = 0.8 * self.running + 0.2 * out.detach().mean(0)
        return out - self.running

class Trainer(Base):
    def setup(self):
        self.model[0].register_forward_hook(Standardiser())

    def _hook(self):
        return next(iter(self.model[0]._forward_hooks.values()))

    def step(self, i):
        return self.update(self.loss(*batch(i)))

    def extra(self):
        return {"running": self._hook().running}

    def restore(self, extra):
        self._hook().running = extra["running"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
