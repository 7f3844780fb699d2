"""After a mid-epoch resume the rest of the epoch is read by another loader; the first one never learns that the epoch ended and gives the same permutation again.

huggingface/accelerate#4233
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

DOC = 'After a mid-epoch resume the rest of the epoch is read by another loader; the first one never learns that the epoch ended and gives the same permutation again. (huggingface/accelerate#4233)'
NAMES = ['iteration']


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


class Loader:
    def __init__(self, iteration=0, skip=0):
        self.iteration, self.skip = iteration, skip

    def __iter__(self):
        g = torch.Generator().manual_seed(50 + self.iteration)
        for k in torch.randperm(4, generator=g).tolist()[self.skip:]:
            yield k
        self.iteration += 1


class Trainer(Base):
    def setup(self):
        self.loader, self.epoch, self.in_epoch = Loader(), 0, 0
        self.running = None
        self.first = None

    def step(self, i):
        if self.running is None:
            if self.in_epoch:
                self.first = Loader(self.epoch, self.in_epoch)
                self.running = iter(self.first)
            else:
                self.running = iter(self.loader)
        k = next(self.running)
        self.in_epoch += 1
        if self.in_epoch == 4:
            next(self.running, None)
            self.running, self.in_epoch, self.epoch = None, 0, self.epoch + 1
            if self.fixed:
                self.loader.iteration = self.epoch
        return self.update(self.loss(*batch(k)))

    def extra(self):
        return {"epoch": self.epoch, "in_epoch": self.in_epoch}

    def restore(self, ck):
        self.epoch, self.in_epoch = ck["epoch"], ck["in_epoch"]
        self.loader.iteration = self.epoch
        self.running = None


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
