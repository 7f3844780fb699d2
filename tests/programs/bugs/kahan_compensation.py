"""Training in bfloat16 with Kahan summation; the compensation buffers live beside the state and are zero after a resume.

warner-benjamin/optimi: Kahan summation
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

DOC = 'Training in bfloat16 with Kahan summation; the compensation buffers live beside the state and are zero after a resume.'
NAMES = ['compensation']


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


class KahanSGD(torch.optim.SGD):
    def __init__(self, params, lr):
        super().__init__(params, lr=lr)
        self.compensation = [torch.zeros_like(p) for g in self.param_groups for p in g["params"]]

    @torch.no_grad()
    def step(self, closure=None):
        params = [p for g in self.param_groups for p in g["params"]]
        for p, c in zip(params, self.compensation):
            u = -self.param_groups[0]["lr"] * p.grad + c
            before = p.clone()
            p.add_(u)
            c.copy_(u - (p - before))

class Trainer(Base):
    def setup(self):
        self.model.bfloat16()
        self.optimizer = KahanSGD(self.model.parameters(), lr=0.01)

    def loss(self, x, y):
        return (self.model(x.bfloat16()).float() - y).pow(2).mean()

    def step(self, i):
        return self.update(self.loss(*batch(i)))

    def extra(self):
        return {"c": self.optimizer.compensation}

    def restore(self, extra):
        self.optimizer.compensation = extra["c"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
