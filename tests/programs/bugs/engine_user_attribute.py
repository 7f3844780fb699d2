"""An attribute that a user hangs on the engine's state is in no state_dict unless it is declared.

pytorch/ignite#1637 (trainer.state.loader_index; state_dict_user_keys)
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

DOC = "An attribute that a user hangs on the engine's state is in no state_dict unless it is declared. (pytorch/ignite#1637 (trainer.state.loader_index; state_dict_user_keys))"
NAMES = ['loader_index']


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


class State:
    def __init__(self):
        self.iteration, self.epoch, self.loader_index = 0, 0, 0


class Engine:
    def __init__(self, user_keys):
        self.state, self.user_keys = State(), user_keys

    def state_dict(self):
        return {k: getattr(self.state, k) for k in ["iteration", "epoch", *self.user_keys]}

    def load_state_dict(self, state):
        vars(self.state).update(state)


class Trainer(Base):
    def setup(self):
        self.engine = Engine(["loader_index"] if self.fixed else [])

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "engine": self.engine}

    def step(self, i):
        s = self.engine.state
        loss = self.update(self.loss(*batch(10 * s.loader_index + s.iteration)))
        s.iteration += 1
        if s.iteration % 2 == 0:
            s.epoch += 1
            s.loader_index += 1
        return loss

    def extra(self):
        return {"engine": self.engine.state_dict()}

    def restore(self, ck):
        self.engine.load_state_dict(ck["engine"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
