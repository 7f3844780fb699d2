"""Optimizer.load_state_dict casts the int8 codes of a quantised momentum to the parameter's dtype: from then on they are no longer rounded.

pytorch/ao#3314; bitsandbytes overrides load_state_dict for this
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

DOC = "Optimizer.load_state_dict casts the int8 codes of a quantised momentum to the parameter's dtype: from then on they are no longer rounded. (pytorch/ao#3314; bitsandbytes overrides load_state_dict for this)"
NAMES = ['int8', 'dtype', 'codes']


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


class Sgd8bit(torch.optim.Optimizer):
    def __init__(self, params, lr, fixed):
        self.fixed = fixed
        super().__init__(params, {"lr": lr})

    def load_state_dict(self, state):
        super().load_state_dict(state)
        if self.fixed:
            for s in self.state.values():
                s["codes"] = s["codes"].to(torch.int8)

    @torch.no_grad()
    def step(self, closure=None):
        for g in self.param_groups:
            for p in g["params"]:
                s = self.state[p]
                if not s:
                    s["codes"], s["scale"] = torch.zeros_like(p, dtype=torch.int8), torch.ones(())
                m = s["codes"].float() * s["scale"] * 0.9 + p.grad
                s["scale"].copy_(m.abs().max() / 127 + 1e-12)
                s["codes"].copy_(m / s["scale"])
                p.sub_(m, alpha=g["lr"])


class Trainer(Base):
    def make_optimizer(self):
        return Sgd8bit(self.model.parameters(), 0.02, self.fixed)


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
