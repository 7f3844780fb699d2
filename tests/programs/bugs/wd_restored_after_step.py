"""The parameter scheduler applies itself while loading, before its weight decay fields are restored: one update runs with the constructor's weight decay.

NVIDIA/Megatron-LM#7468, NVIDIA-NeMo/Automodel#3883
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

DOC = "The parameter scheduler applies itself while loading, before its weight decay fields are restored: one update runs with the constructor's weight decay. (NVIDIA/Megatron-LM#7468, NVIDIA-NeMo/Automodel#3883)"
NAMES = ['weight_decay', 'weight decay', 'start_wd']


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


class ParamScheduler:
    def __init__(self, optimizer, fixed):
        self.optimizer, self.fixed = optimizer, fixed
        self.num_steps, self.start_wd = 0, 0.5
        self.apply()

    def apply(self):
        for g in self.optimizer.param_groups:
            g["lr"] = 0.02 * 0.9 ** self.num_steps
            g["weight_decay"] = self.start_wd * (1 + 0.1 * self.num_steps)

    def calibrate(self, norm):
        self.start_wd = 2.0 * norm

    def step(self):
        self.num_steps += 1
        self.apply()

    def state_dict(self):
        return {"num_steps": self.num_steps, "start_wd": self.start_wd}

    def load_state_dict(self, state):
        self.num_steps = state["num_steps"]
        if not self.fixed:
            self.apply()
        self.start_wd = state["start_wd"]
        if self.fixed:
            self.apply()


class Trainer(Base):
    def setup(self):
        self.scheduler = ParamScheduler(self.optimizer, self.fixed)

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def step(self, i):
        loss = super().step(i)
        if i == 0:
            self.scheduler.calibrate(sum(p.grad.norm().item() for p in self.model.parameters()))
        self.scheduler.step()
        return loss

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
