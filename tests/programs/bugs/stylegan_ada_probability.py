"""The augmentation strength p, adjusted every few steps, and the mean path length are not in the snapshot; p starts at 0 again.

https://github.com/NVlabs/stylegan2-ada/pull/6, https://github.com/dvschultz/stylegan2-ada-pytorch/issues/5
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

DOC = 'The augmentation strength p, adjusted every few steps, and the mean path length are not in the snapshot; p starts at 0 again.'
NAMES = ['augment_p', 'pl_mean']


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
        self.augment_p, self.pl_mean = 0.0, torch.zeros(())

    def step(self, i):
        x, y = batch(i)
        out = self.model(x * (1 - self.augment_p))
        length = out.abs().mean()
        self.pl_mean = self.pl_mean.lerp(length.detach(), 0.3)
        loss = (out - y).pow(2).mean() + (length - self.pl_mean).pow(2)
        self.augment_p = min(0.8, self.augment_p + 0.1 * (0.5 + float(out.mean() > 0)))
        return self.update(loss)

    def extra(self):
        return {"p": self.augment_p, "m": self.pl_mean}

    def restore(self, extra):
        self.augment_p, self.pl_mean = extra["p"], extra["m"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
