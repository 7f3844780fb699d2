"""The adapter is loaded into param.data and the optimizer's fp32 masters still hold the random initial one, which the first update writes back.

radixark/miles#2572
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

DOC = "The adapter is loaded into param.data and the optimizer's fp32 masters still hold the random initial one, which the first update writes back. (radixark/miles#2572)"
NAMES = ['master']


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


class MasterOptimizer(torch.optim.Optimizer):
    def __init__(self, params, lr):
        self.masters = None
        super().__init__(params, {"lr": lr})
        self.masters = [p.detach().double().clone() for g in self.param_groups for p in g["params"]]

    def refresh(self):
        for m, p in zip(self.masters, (p for g in self.param_groups for p in g["params"])):
            m.copy_(p.detach())

    @torch.no_grad()
    def step(self, closure=None):
        k = 0
        for g in self.param_groups:
            for p in g["params"]:
                if p.grad is not None:
                    self.masters[k].sub_(p.grad.double(), alpha=g["lr"])
                    p.copy_(self.masters[k])
                k += 1


class Lora(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.randn(4, 2))
        self.b = nn.Parameter(torch.zeros(2, 1))

    def forward(self, x):
        return x.sum(1, keepdim=True) + x @ self.a @ self.b


class Trainer(Base):
    def make_model(self):
        return Lora()

    def make_optimizer(self):
        return MasterOptimizer(self.model.parameters(), 0.05)

    def extra(self):
        return {"masters": self.optimizer.masters}

    def load(self, path):
        ck = torch.load(path)
        for p, saved in zip(self.model.parameters(), ck["model"].values()):
            p.data.copy_(saved)
        if self.fixed:
            for m, saved in zip(self.optimizer.masters, ck["masters"]):
                m.copy_(saved)


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
