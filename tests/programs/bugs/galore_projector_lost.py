"""GaLore's projection is recomputed every third step and kept on a projector object outside of the state.

jiaweizzhao/GaLore: galore_projector.py, a python object in the optimizer's state
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

DOC = "GaLore's projection is recomputed every third step and kept on a projector object outside of the state."
NAMES = ['projector', 'ortho']


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


class Projector:
    def __init__(self, rank, gap):
        self.rank, self.gap, self.ortho, self.count = rank, gap, None, 0

    def project(self, grad):
        if self.ortho is None or self.count % self.gap == 0:
            self.ortho = torch.linalg.svd(grad, full_matrices=False)[0][:, : self.rank]
        self.count += 1
        return self.ortho @ (self.ortho.T @ grad)

class Trainer(Base):
    def setup(self):
        self.projector = Projector(2, 3)

    def step(self, i):
        loss = self.loss(*batch(i))
        self.optimizer.zero_grad()
        loss.backward()
        w = self.model[0].weight
        w.grad = self.projector.project(w.grad)
        self.optimizer.step()
        return loss.item()

    def extra(self):
        return {"p": self.projector}

    def restore(self, extra):
        self.projector = extra["p"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
