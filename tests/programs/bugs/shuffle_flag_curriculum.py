"""The first epochs are not shuffled; whether the running epoch is shuffled is no part of the iterator's state, and a resumed epoch always is.

facebookresearch/fairseq#1375
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

DOC = "The first epochs are not shuffled; whether the running epoch is shuffled is no part of the iterator's state, and a resumed epoch always is. (facebookresearch/fairseq#1375)"
NAMES = ['shuffle']


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


class EpochBatchIterator:
    def __init__(self, fixed):
        self.fixed, self.epoch, self.offset, self.shuffle = fixed, 0, 0, True
        self.order = None

    def next_epoch(self, shuffle):
        self.epoch, self.offset, self.shuffle = self.epoch + 1, 0, shuffle
        self.make_order()

    def make_order(self):
        order = list(range(4))
        if self.shuffle:
            random.Random(self.epoch).shuffle(order)
        self.order = order

    def next(self):
        k = self.order[self.offset]
        self.offset += 1
        return k

    def end(self):
        return self.order is None or self.offset >= 4

    def state_dict(self):
        return {"epoch": self.epoch, "offset": self.offset, "shuffle": self.shuffle}

    def load_state_dict(self, state):
        self.epoch, self.offset = state["epoch"], state["offset"]
        if self.fixed:
            self.shuffle = state["shuffle"]
        if self.epoch:
            self.make_order()


class Trainer(Base):
    def setup(self):
        self.itr = EpochBatchIterator(self.fixed)

    def step(self, i):
        if self.itr.end():
            self.itr.next_epoch(shuffle=self.itr.epoch >= 1)
        return self.update(self.loss(*batch(self.itr.next())))

    def extra(self):
        return {"itr": self.itr.state_dict()}

    def restore(self, ck):
        self.itr.load_state_dict(ck["itr"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
