"""The EMA is created at step 2, so it is None when the checkpoint is read and its saved shadow is skipped; it is rebuilt from the resumed weights.

https://github.com/hao-ai-lab/FastVideo/pull/1441
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

DOC = 'The EMA is created at step 2, so it is None when the checkpoint is read and its saved shadow is skipped; it is rebuilt from the resumed weights.'
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
        self.ema, self.steps = None, 0

    def step(self, i):
        self.steps += 1
        if self.ema is None and self.steps >= 2:
            self.ema = [p.detach().clone() for p in self.model.parameters()]
        x, y = batch(i)
        loss = self.loss(x, y)
        if self.ema is not None:
            loss = loss + 0.1 * sum((p - e).abs().sum() for p, e in zip(self.model.parameters(), self.ema))
            for p, e in zip(self.model.parameters(), self.ema):
                e.lerp_(p.detach(), 0.2)
        return self.update(loss)

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "steps": self.steps, "ema": self.ema}, path)

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        self.steps = ck["steps"]
        if self.ema is not None or self.fixed:
            self.ema = ck["ema"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
