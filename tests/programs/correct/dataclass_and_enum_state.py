"""The trainer's state is a dataclass with an enum, a tuple and a nested dataclass, replaced rather than changed."""
import collections
import contextlib
import contextvars
import copy
import dataclasses
import enum
import functools
import itertools
import json
import logging
import math
import os
import pathlib
import random
import tempfile
import threading
import time
import weakref
from collections import Counter, defaultdict, deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun


def batch(i, n=8, d=4):
    g = torch.Generator().manual_seed(1000 + i)
    return torch.randn(n, d, generator=g), torch.randn(n, 1, generator=g)


class Base:
    def __init__(self):
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


class Phase(enum.Enum):
    WARM = "warm"
    MAIN = "main"
    COOL = enum.auto()


@dataclasses.dataclass(frozen=True)
class Best:
    loss: float = math.inf
    step: int = -1


@dataclasses.dataclass
class State:
    seen: int = 0
    phase: Phase = Phase.WARM
    best: Best = Best()
    last: tuple = ()
    started: float = dataclasses.field(default_factory=time.time)


class Trainer(Base):
    def setup(self):
        self.state = State()

    def step(self, i):
        s = self.state
        weight = {Phase.WARM: 0.1, Phase.MAIN: 1.0, Phase.COOL: 0.3}[s.phase]
        loss = self.update(weight * self.loss(*batch(s.seen)))
        phase = Phase.MAIN if s.seen == 1 else Phase.COOL if s.seen == 3 else s.phase
        best = Best(loss, s.seen) if loss < s.best.loss else s.best
        self.state = dataclasses.replace(s, seen=s.seen + 1, phase=phase, best=best, last=(*s.last[-2:], loss))
        return loss, phase.name, best.step

    def extra(self):
        s = self.state
        return {"state": {"seen": s.seen, "phase": s.phase.name, "best": dataclasses.astuple(s.best), "last": s.last}}

    def restore(self, ck):
        s = ck["state"]
        self.state = State(s["seen"], Phase[s["phase"]], Best(*s["best"]), tuple(s["last"]))


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))
