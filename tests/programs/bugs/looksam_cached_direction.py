"""LookSAM reuses the sharpness direction of an earlier step; it is an attribute of the trainer, and a resumed run has none until the next full step.

constructed after LookSAM implementations (rollovd/LookSAM: old gradients in attributes)
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

DOC = 'LookSAM reuses the sharpness direction of an earlier step; it is an attribute of the trainer, and a resumed run has none until the next full step. (constructed after LookSAM implementations (rollovd/LookSAM: old gradients in attributes))'
NAMES = ['direction']


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


class Trainer(Base):
    def setup(self):
        self.direction = None

    def step(self, i):
        x, y = batch(i)
        loss = self.loss(x, y)
        params = list(self.model.parameters())
        grads = torch.autograd.grad(loss, params)
        if i % 3 == 0:
            with torch.no_grad():
                e = [0.1 * g / (g.norm() + 1e-9) for g in grads]
                for p, d in zip(params, e):
                    p.add_(d)
            sharp = torch.autograd.grad(self.loss(x, y), params)
            with torch.no_grad():
                for p, d in zip(params, e):
                    p.sub_(d)
            self.direction = [s - g for s, g in zip(sharp, grads)]
        for k, p in enumerate(params):
            p.grad = grads[k].clone()
            if self.direction is not None:
                p.grad += 0.7 * self.direction[k]
        self.optimizer.step()
        return loss.item()

    def extra(self):
        return {"direction": self.direction}

    def restore(self, ck):
        if self.fixed:
            self.direction = ck["direction"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
