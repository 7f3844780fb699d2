"""A warmup wrapper dampens the rate with a counter of its own; only the wrapped scheduler is saved and the warmup starts again.

pytorch_warmup (Tony-Y/pytorch_warmup), README on checkpoints
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

DOC = 'A warmup wrapper dampens the rate with a counter of its own; only the wrapped scheduler is saved and the warmup starts again. (pytorch_warmup (Tony-Y/pytorch_warmup), README on checkpoints)'
NAMES = ['warmup', 'last_step']


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


class LinearWarmup:
    def __init__(self, optimizer, period):
        self.optimizer, self.period, self.last_step = optimizer, period, 0
        self.lrs = [g["lr"] for g in optimizer.param_groups]
        self.dampen()

    def dampen(self):
        self.last_step += 1
        omega = min(1.0, self.last_step / self.period)
        for g in self.optimizer.param_groups:
            g["lr"] *= omega

    def dampening(self, scheduler):
        for g, lr in zip(self.optimizer.param_groups, self.lrs):
            g["lr"] = lr
        scheduler.step()
        self.lrs = [g["lr"] for g in self.optimizer.param_groups]
        self.dampen()

    def state_dict(self):
        return {"last_step": self.last_step, "lrs": self.lrs}

    def load_state_dict(self, state):
        self.__dict__.update(state)


class Trainer(Base):
    def setup(self):
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 2, 0.5)
        self.warmup = LinearWarmup(self.optimizer, 5)

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def step(self, i):
        loss = super().step(i)
        self.warmup.dampening(self.scheduler)
        return loss

    def extra(self):
        return {"scheduler": self.scheduler.state_dict(), "warmup": self.warmup.state_dict()}

    def restore(self, ck):
        self.scheduler.load_state_dict(ck["scheduler"])
        if self.fixed:
            self.warmup.load_state_dict(ck["warmup"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
