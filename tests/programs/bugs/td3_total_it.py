"""The policy is updated every second iteration of total_it, which TD3's save does not write.

sfujim/TD3 (save and load write networks and optimizers only)
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

DOC = "The policy is updated every second iteration of total_it, which TD3's save does not write. (sfujim/TD3 (save and load write networks and optimizers only))"
NAMES = ['total_it']


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
        self.total_it = 0
        self.actor = nn.Linear(4, 1)
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), lr=1e-2)

    def components(self):
        return {"critic": self.model, "critic_optimizer": self.optimizer, "actor": self.actor, "actor_optimizer": self.actor_optimizer}

    def step(self, i):
        self.total_it += 1
        x, y = batch(i)
        loss = self.update(self.loss(x, y + self.actor(x).detach()))
        if self.total_it % 2 == 0:
            self.actor_optimizer.zero_grad()
            (-self.model(x + self.actor(x)).mean()).backward()
            self.actor_optimizer.step()
        return loss

    def extra(self):
        return {"actor": self.actor.state_dict(), "actor_optimizer": self.actor_optimizer.state_dict(), "total_it": self.total_it}

    def restore(self, ck):
        self.actor.load_state_dict(ck["actor"])
        self.actor_optimizer.load_state_dict(ck["actor_optimizer"])
        if self.fixed:
            self.total_it = ck["total_it"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
