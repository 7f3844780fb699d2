"""The parameter scheduler holds a reference to one param group; loading the optimizer replaces the groups, so the schedule writes into a dict nobody uses.

pytorch/ignite#690 (fixes #545, #667)
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

DOC = 'The parameter scheduler holds a reference to one param group; loading the optimizer replaces the groups, so the schedule writes into a dict nobody uses. (pytorch/ignite#690 (fixes #545, #667))'
NAMES = ['param_group', 'scheduler']


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


class LinearParam:
    def __init__(self, optimizer, index, start, end, length, fixed):
        self.optimizer, self.index, self.fixed = optimizer, index, fixed
        self.param_group = optimizer.param_groups[index]
        self.start, self.end, self.length, self.event_index = start, end, length, 0

    def __call__(self):
        group = self.optimizer.param_groups[self.index] if self.fixed else self.param_group
        group["lr"] = self.start + (self.end - self.start) * self.event_index / self.length
        self.event_index += 1

    def state_dict(self):
        return {"event_index": self.event_index}

    def load_state_dict(self, state):
        self.event_index = state["event_index"]


class Trainer(Base):
    def setup(self):
        self.scheduler = LinearParam(self.optimizer, 0, 0.02, 0.001, 8, self.fixed)

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def step(self, i):
        self.scheduler()
        return super().step(i)

    def extra(self):
        return {"scheduler": self.scheduler.state_dict()}

    def restore(self, ck):
        self.scheduler.load_state_dict(ck["scheduler"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
