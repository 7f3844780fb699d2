"""A sparse adjacency matrix and a quantised table as buffers."""
import collections
import contextlib
import contextvars
import copy
import dataclasses
import enum
import functools
import itertools
import json
import logging
import math
import os
import pathlib
import random
import tempfile
import threading
import time
import weakref
from collections import Counter, defaultdict, deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun


def batch(i, n=8, d=4):
    g = torch.Generator().manual_seed(1000 + i)
    return torch.randn(n, d, generator=g), torch.randn(n, 1, generator=g)


class Base:
    def __init__(self):
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


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 1)
        i = torch.tensor([[0, 1, 2, 3, 0], [1, 2, 3, 0, 0]])
        self.register_buffer("adj", torch.sparse_coo_tensor(i, torch.ones(5), (4, 4)).coalesce())
        self.register_buffer("table", torch.quantize_per_tensor(torch.linspace(-1, 1, 4), 0.1, 0, torch.qint8))

    def forward(self, x):
        return self.lin(torch.sparse.mm(self.adj, x.T).T + self.table.dequantize())


class Trainer(Base):
    def make_model(self):
        return Net()


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))
