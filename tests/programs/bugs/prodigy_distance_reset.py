"""Prodigy's estimate d sits in the param group; load puts the group's d back to d0 from the config.

https://github.com/konstmish/prodigy
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

DOC = "Prodigy's estimate d sits in the param group; load puts the group's d back to d0 from the config."
NAMES = ['d_numerator', '[0].d', 'param_groups']


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


class Prodigy(torch.optim.Optimizer):
    def __init__(self, params, lr=1.0, d0=1e-3):
        super().__init__(params, dict(lr=lr, d=d0, d0=d0, d_numerator=0.0))

    @torch.no_grad()
    def step(self):
        for g in self.param_groups:
            den = 0.0
            for p in g["params"]:
                s = self.state[p]
                if not s:
                    s["p0"], s["s"] = p.clone(), torch.zeros_like(p)
                g["d_numerator"] += g["d"] * (p.grad * (s["p0"] - p)).sum().item()
                s["s"].add_(p.grad, alpha=g["d"])
                den += s["s"].abs().sum().item()
            g["d"] = max(g["d"], abs(g["d_numerator"]) / (den + 1e-8), g["d"] * 1.5)
            for p in g["params"]:
                p.add_(p.grad.sign(), alpha=-g["lr"] * g["d"])

class Trainer(Base):
    def setup(self):
        self.optimizer = Prodigy(self.model.parameters())

    def step(self, i):
        return self.update(self.loss(*batch(i)))

    def load(self, path):
        super().load(path)
        if not self.fixed:
            for g in self.optimizer.param_groups:
                g["d"] = g["d0"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
