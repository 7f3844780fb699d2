"""Rewards are divided by the running deviation of discounted returns (VecNormalize.ret_rms); ret and ret_rms are not saved.

https://github.com/DLR-RM/stable-baselines3/issues/1256
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

DOC = 'Rewards are divided by the running deviation of discounted returns (VecNormalize.ret_rms); ret and ret_rms are not saved.'
NAMES = ['ret_rms', 'ret']


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


class RunningMeanStd:
    def __init__(self):
        self.mean, self.var, self.count = 0.0, 1.0, 1e-4

    def update(self, v):
        d = v - self.mean
        n = self.count + 1
        self.mean += d / n
        self.var = (self.var * self.count + d * d * self.count / n) / n
        self.count = n

class Trainer(Base):
    def setup(self):
        self.ret_rms, self.ret = RunningMeanStd(), 0.0

    def step(self, i):
        x, y = batch(i)
        self.ret = 0.9 * self.ret + y.mean().item()
        self.ret_rms.update(self.ret)
        return self.update(self.loss(x, y / math.sqrt(self.ret_rms.var + 0.1)))

    def extra(self):
        return {"rms": vars(self.ret_rms), "ret": self.ret}

    def restore(self, extra):
        vars(self.ret_rms).update(extra["rms"])
        self.ret = extra["ret"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
