"""The student is copied into the teacher at iteration BURN_UP_STEP; the iteration restarts from zero on resume and the trained teacher is overwritten later.

facebookresearch/unbiased-teacher#23
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

DOC = 'The student is copied into the teacher at iteration BURN_UP_STEP; the iteration restarts from zero on resume and the trained teacher is overwritten later. (facebookresearch/unbiased-teacher#23)'
NAMES = ['iter']


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
    BURN_UP_STEP = 2

    def setup(self):
        self.teacher, self.iter = copy.deepcopy(self.model), 0

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "teacher": self.teacher}

    def step(self, i):
        x, y = batch(i)
        if self.iter == self.BURN_UP_STEP:
            self.teacher.load_state_dict(self.model.state_dict())
        loss = self.loss(x, y)
        if i >= self.BURN_UP_STEP:
            with torch.no_grad():
                target = self.teacher(x + 0.1)
                for t, p in zip(self.teacher.parameters(), self.model.parameters()):
                    t.lerp_(p, 0.1)
            loss = loss + (self.model(x) - target).pow(2).mean()
        self.iter += 1
        return self.update(loss)

    def extra(self):
        return {"teacher": self.teacher.state_dict(), "iter": self.iter}

    def restore(self, ck):
        self.teacher.load_state_dict(ck["teacher"])
        self.iter = ck["iter"] if self.fixed else 0


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
