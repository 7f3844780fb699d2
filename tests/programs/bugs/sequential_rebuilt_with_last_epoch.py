"""On resume SequentialLR is built with last_epoch=N and not loaded: only the first schedule is set up, whatever N is.

pytorch/pytorch#162591, #171515
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

DOC = 'On resume SequentialLR is built with last_epoch=N and not loaded: only the first schedule is set up, whatever N is. (pytorch/pytorch#162591, #171515)'
NAMES = ['lr', 'scheduler', 'learning rate']


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
    def make_scheduler(self, last_epoch=-1):
        S = torch.optim.lr_scheduler
        return S.SequentialLR(self.optimizer, [S.ConstantLR(self.optimizer, 0.1, total_iters=20), S.ExponentialLR(self.optimizer, 0.8)], [2], last_epoch=last_epoch)

    def setup(self):
        self.scheduler = self.make_scheduler()
        self.done = 0

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def step(self, i):
        loss = super().step(i)
        self.scheduler.step()
        self.done += 1
        return loss

    def extra(self):
        return {"done": self.done, "scheduler": self.scheduler.state_dict()}

    def restore(self, ck):
        self.done = ck["done"]
        if self.fixed:
            self.scheduler.load_state_dict(ck["scheduler"])
        elif self.done:
            self.scheduler = self.make_scheduler(self.done - 1)


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
