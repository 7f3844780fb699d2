"""A replay component with 25,000 transition objects stands before everything else; the step counter behind it is lost.

Modelled on what scripts of this kind do.
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

DOC = 'A replay component with 25,000 transition objects stands before everything else; the step counter behind it is lost.'
NAMES = ['global_step']


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


class Transition:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a, self.b = a, [object]

class Replay:
    def __init__(self):
        self.items = [Transition(float(k)) for k in range(25_000)]

    def state_dict(self):
        return {"n": len(self.items)}

    def load_state_dict(self, state):
        assert len(self.items) == state["n"]

class Trainer(Base):
    def setup(self):
        self.replay = REPLAY
        self.global_step = 0

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "replay": self.replay}

    def step(self, i):
        self.global_step += 1
        self.optimizer.param_groups[0]["lr"] = 1e-2 / self.global_step
        return self.update(self.loss(*batch(i)))

    def extra(self):
        return {"g": self.global_step}

    def restore(self, extra):
        self.global_step = extra["g"]

REPLAY = Replay()


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
