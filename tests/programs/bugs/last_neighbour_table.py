"""The early-stopping monitor saves memory and networks and not the neighbor loader, whose table of last neighbours is then empty.

shenyangHuang/TGB#87
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

DOC = 'The early-stopping monitor saves memory and networks and not the neighbor loader, whose table of last neighbours is then empty. (shenyangHuang/TGB#87)'
NAMES = ['neighbor']


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


class LastNeighborLoader:
    def __init__(self, nodes, size):
        self.neighbors, self.cur = torch.full((nodes, size), -1), 0

    def insert(self, src, dst):
        for a, b in zip(src.tolist(), dst.tolist()):
            self.neighbors[a] = torch.cat([self.neighbors[a][1:], torch.tensor([b])])

    def __call__(self, n):
        return self.neighbors[n]


class Graph(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(7, 4), nn.Linear(8, 1)


class Trainer(Base):
    def make_model(self):
        return Graph()

    def setup(self):
        self.neighbor_loader = LastNeighborLoader(6, 3)

    def score(self, src, dst):
        e = self.model.embed(self.neighbor_loader(src) % 7).mean(1)
        return self.model.out(torch.cat([e, self.model.embed(dst)], 1))

    def step(self, i):
        g = torch.Generator().manual_seed(i)
        src, dst = torch.randint(6, (2, 8), generator=g)
        loss = self.update(F.softplus(-self.score(src, dst)).mean() + F.softplus(self.score(src, (dst + 1) % 6)).mean())
        self.neighbor_loader.insert(src, dst)
        return loss

    def extra(self):
        return {"neighbors": self.neighbor_loader.neighbors.clone()}

    def restore(self, ck):
        if self.fixed:
            self.neighbor_loader.neighbors = ck["neighbors"].clone()


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
