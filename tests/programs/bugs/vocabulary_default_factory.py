"""New words get the next number through `vocab.default_factory = vocab.__len__`; the vocabulary is empty after a resume.

https://github.com/explosion/spaCy/pull/7603
"""
import copy
import functools
import itertools
import json
import math
import os
import random
from collections import Counter, defaultdict, deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'New words get the next number through `vocab.default_factory = vocab.__len__`; the vocabulary is empty after a resume.'
NAMES = ['vocab']


def batch(i, n=8, d=4):
    g = torch.Generator().manual_seed(1000 + i)
    return torch.randn(n, d, generator=g), torch.randn(n, 1, generator=g)


class Base:
    def __init__(self, fixed):
        self.fixed = fixed
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.setup()

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

    def extra(self):
        return {}

    def restore(self, extra):
        pass

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "extra": self.extra() if self.fixed else {}}, path)

    def load(self, path):
        ck = torch.load(path, weights_only=False)
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        if self.fixed:
            self.restore(ck["extra"])


class Trainer(Base):
    def setup(self):
        self.vocab = defaultdict()
        self.vocab.default_factory = self.vocab.__len__
        self.table = nn.Embedding(32, 4)
        self.optimizer = torch.optim.Adam([*self.model.parameters(), *self.table.parameters()], lr=1e-2)

    def components(self):
        return {"model": self.model, "table": self.table, "optimizer": self.optimizer}

    def step(self, i):
        ids = torch.tensor([self.vocab[w] for w in ("the", f"w{i % 4}", f"v{i}")])
        return self.update(self.loss(self.table(ids), torch.ones(3, 1)))

    def save(self, path):
        ck = {k: c.state_dict() for k, c in self.components().items()}
        torch.save({**ck, "vocab": dict(self.vocab)}, path)

    def load(self, path):
        ck = torch.load(path)
        for k, c in self.components().items():
            c.load_state_dict(ck[k])
        if self.fixed:
            self.vocab.update(ck["vocab"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
