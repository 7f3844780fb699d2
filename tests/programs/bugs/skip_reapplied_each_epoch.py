"""The sampler skips what was consumed when it was loaded, in each later epoch again: after a mid-epoch resume epochs are short and repeat the tail.

NVIDIA-NeMo/Megatron-Bridge#4601, huggingface/datasets#7447
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

DOC = 'The sampler skips what was consumed when it was loaded, in each later epoch again: after a mid-epoch resume epochs are short and repeat the tail. (NVIDIA-NeMo/Megatron-Bridge#4601, huggingface/datasets#7447)'
NAMES = ['consumed']


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


class Sampler:
    def __init__(self, fixed):
        self.fixed, self.consumed, self.total, self.it = fixed, 0, 0, None

    def epoch(self):
        start = self.consumed % 4
        if self.fixed:
            self.consumed -= start
        for k in range(start, 4):
            yield k

    def next(self):
        while True:
            if self.it is None:
                self.it = self.epoch()
            k = next(self.it, None)
            if k is not None:
                self.total += 1
                return k
            if self.fixed:
                self.consumed += 4
            self.it = None

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, state):
        self.total = self.consumed = state["total"]
        self.it = None


class Trainer(Base):
    def setup(self):
        self.sampler = Sampler(self.fixed)

    def step(self, i):
        return self.update(self.loss(*batch(self.sampler.next())))

    def extra(self):
        return {"sampler": self.sampler.state_dict()}

    def restore(self, ck):
        self.sampler.load_state_dict(ck["sampler"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
