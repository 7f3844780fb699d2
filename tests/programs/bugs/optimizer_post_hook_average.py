"""An optimizer step post-hook keeps a Polyak average in its closure and pulls the weights to it every third step.

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

DOC = 'An optimizer step post-hook keeps a Polyak average in its closure and pulls the weights to it every third step.'
NAMES = ['average', 'hook']


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


class Polyak:
    def __init__(self, params):
        self.average = [p.detach().clone() for p in params]
        self.t = 0

    def __call__(self, opt, args, kwargs):
        self.t += 1
        for p, a in zip(opt.param_groups[0]["params"], self.average):
            a.lerp_(p.detach(), 0.3)
            if self.t % 3 == 0:
                p.data.lerp_(a, 0.5)

class Trainer(Base):
    def setup(self):
        self.optimizer.register_step_post_hook(Polyak(list(self.model.parameters())))

    def _hook(self):
        return next(iter(self.optimizer._optimizer_step_post_hooks.values()))

    def step(self, i):
        return self.update(self.loss(*batch(i)))

    def extra(self):
        return {"average": self._hook().average, "t": self._hook().t}

    def restore(self, extra):
        self._hook().average, self._hook().t = extra["average"], extra["t"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
