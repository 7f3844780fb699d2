"""The vocabulary is a dict subclass; its entries are saved, its next_id is not, and new words get ids that are taken.

Modelled on what scripts of this kind do.
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

DOC = 'The vocabulary is a dict subclass; its entries are saved, its next_id is not, and new words get ids that are taken.'
NAMES = ['next_id']


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


class Vocab(dict):
    next_id = 0

    def id(self, word):
        if word not in self:
            self[word] = self.next_id % 16
            self.next_id += 1
        return self[word]

class Trainer(Base):
    def setup(self):
        self.vocab = Vocab()
        self.table = nn.Embedding(16, 4)
        self.optimizer = torch.optim.Adam([*self.model.parameters(), *self.table.parameters()], lr=1e-2)

    def components(self):
        return {"model": self.model, "table": self.table, "optimizer": self.optimizer}

    def step(self, i):
        ids = torch.tensor([self.vocab.id(w) for w in (f"w{i}", f"w{2 * i}", "the")])
        return self.update(self.loss(self.table(ids), torch.ones(3, 1)))

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "table": self.table.state_dict(), "vocab": dict(self.vocab),
                    "optimizer": self.optimizer.state_dict(), "next": self.vocab.next_id}, path)

    def load(self, path):
        ck = torch.load(path)
        for name, part in self.components().items():
            part.load_state_dict(ck[name])
        self.vocab = Vocab(ck["vocab"])
        if self.fixed:
            self.vocab.next_id = ck["next"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
