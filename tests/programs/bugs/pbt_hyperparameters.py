"""Population based training perturbs the config in place; after a restore the policy reads the constructor's config.

https://github.com/ray-project/ray/issues/62173
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

DOC = "Population based training perturbs the config in place; after a restore the policy reads the constructor's config."
NAMES = ['config', 'clip_param']


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


class Policy:
    def __init__(self, config):
        self.config = dict(config)

class Trainer(Base):
    def setup(self):
        self.policy = Policy({"clip_param": 1.0, "entropy_coeff": 0.1})
        self.steps = 0

    def step(self, i):
        x, y = batch(i)
        c = self.policy.config
        out = self.model(x)
        loss = ((out - y).clamp(-c["clip_param"], c["clip_param"])).pow(2).mean() + c["entropy_coeff"] * out.pow(2).mean()
        self.steps += 1
        if self.steps % 2 == 0:
            c["clip_param"] *= 0.8
            c["entropy_coeff"] *= 1.2
        return self.update(loss)

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "steps": self.steps, "config": self.policy.config}, path)

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        self.steps = ck["steps"]
        if self.fixed:
            self.policy.config = ck["config"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
