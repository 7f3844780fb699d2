"""The checkpoint is written in eval mode (x) and read as if it were the training point (y); the optimizer's train_mode is not restored.

https://github.com/facebookresearch/schedule_free (call optimizer.eval() before saving, and the caveats)
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

DOC = "The checkpoint is written in eval mode (x) and read as if it were the training point (y); the optimizer's train_mode is not restored."
NAMES = ['model', 'train_mode']


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


class ScheduleFree(torch.optim.Optimizer):
    def __init__(self, params, lr=0.05, beta=0.9):
        super().__init__(params, dict(lr=lr, beta=beta, k=0, train_mode=True))

    @torch.no_grad()
    def flip(self, train):
        for g in self.param_groups:
            if g["train_mode"] != train:
                for p in g["params"]:
                    z = self.state[p].get("z")
                    if z is not None:
                        p.lerp_(z, 1 - g["beta"] if train else 1 - 1 / g["beta"])
                g["train_mode"] = train

    @torch.no_grad()
    def step(self):
        for g in self.param_groups:
            g["k"] += 1
            for p in g["params"]:
                z = self.state[p].setdefault("z", p.clone())
                p.lerp_(z, 1 / g["k"]).add_(p.grad, alpha=g["lr"] * (g["beta"] * (1 - 1 / g["k"]) - 1))
                z.sub_(p.grad, alpha=g["lr"])

class Trainer(Base):
    def setup(self):
        self.optimizer = ScheduleFree(self.model.parameters())

    def step(self, i):
        return self.update(self.loss(*batch(i)))

    def save(self, path):
        if self.fixed:
            return super().save(path)
        backup = copy.deepcopy(self.model.state_dict())
        self.optimizer.flip(False)
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "extra": {}}, path)
        self.optimizer.flip(True)
        self.model.load_state_dict(backup)

    def load(self, path):
        super().load(path)
        for g in self.optimizer.param_groups:
            g["train_mode"] = True


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
