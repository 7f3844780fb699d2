"""The scheduler is built after the optimizer was loaded: its constructor resets the learning rate, which loading the scheduler does not put back.

pytorch/pytorch#119168, #65342, torch-points3d#630
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

DOC = 'The scheduler is built after the optimizer was loaded: its constructor resets the learning rate, which loading the scheduler does not put back. (pytorch/pytorch#119168, #65342, torch-points3d#630)'
NAMES = ['lr', 'learning rate']


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
    def make_scheduler(self):
        S = torch.optim.lr_scheduler
        return S.SequentialLR(self.optimizer, [S.LinearLR(self.optimizer, 0.1, total_iters=2), S.CosineAnnealingLR(self.optimizer, 8)], [2])

    def setup(self):
        self.scheduler = self.make_scheduler()

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def step(self, i):
        loss = super().step(i)
        self.scheduler.step()
        return loss

    def extra(self):
        return {"scheduler": self.scheduler.state_dict()}

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"])
        self.optimizer = self.make_optimizer()
        if self.fixed:
            self.scheduler = self.make_scheduler()
        self.optimizer.load_state_dict(ck["optimizer"])
        if not self.fixed:
            self.scheduler = self.make_scheduler()
        self.scheduler.load_state_dict(ck["scheduler"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
