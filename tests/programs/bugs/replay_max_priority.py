"""The replay buffer's arrays are saved; max_priority, given to each new transition, is 1 again after a resume.

constructed after prioritized replay buffers (baselines, tianshou: _max_prio outside the saved arrays)
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

DOC = "The replay buffer's arrays are saved; max_priority, given to each new transition, is 1 again after a resume. (constructed after prioritized replay buffers (baselines, tianshou: _max_prio outside the saved arrays))"
NAMES = ['max_prio']


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


class Buffer:
    def __init__(self):
        self.index, self.prio, self.max_priority = [], [], 1.0

    def add(self, k):
        self.index.append(k)
        self.prio.append(self.max_priority)


class Trainer(Base):
    def setup(self):
        self.buffer, self.rng = Buffer(), np.random.RandomState(1)

    def step(self, i):
        self.buffer.add(i)
        p = np.array(self.buffer.prio)
        j = self.rng.choice(len(p), p=p / p.sum())
        weight = float((p.sum() / p[j]) ** 0.5)
        loss = self.loss(*batch(self.buffer.index[j]))
        self.buffer.prio[j] = loss.item() * 3
        self.buffer.max_priority = max(self.buffer.max_priority, self.buffer.prio[j])
        return self.update(loss * weight)

    def extra(self):
        return {"index": self.buffer.index, "prio": self.buffer.prio, "max_priority": self.buffer.max_priority, "rng": self.rng.get_state()}

    def restore(self, ck):
        self.buffer.index, self.buffer.prio = list(ck["index"]), list(ck["prio"])
        self.rng.set_state(ck["rng"])
        if self.fixed:
            self.buffer.max_priority = ck["max_priority"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
