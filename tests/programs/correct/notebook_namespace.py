"""A notebook: cells executed in a namespace of their own, everything a global."""
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


CELLS = [
    "import torch\nfrom torch import nn\nmodel = nn.Linear(4, 1)\nopt = torch.optim.Adam(model.parameters(), lr=0.01)\nseen = 0\nlosses = []",
    "def train_one(i):\n    global seen, last\n    x, y = batch(seen)\n    loss = (model(x) - y).pow(2).mean()\n    opt.zero_grad(); loss.backward(); opt.step()\n    seen += 1\n    last = loss\n    losses.append(loss.item())\n    return loss.item()",
    "def save(path):\n    torch.save((model.state_dict(), opt.state_dict(), seen, losses), path)",
    "def load(path):\n    global seen, losses\n    m, o, seen, losses = torch.load(path)\n    model.load_state_dict(m); opt.load_state_dict(o)",
]


def make_run():
    ns = {"batch": batch, "__name__": "__main__"}
    for cell in CELLS:
        exec(cell, ns)
    return TrainingRun(components={"model": ns["model"], "optimizer": ns["opt"]}, step=ns["train_one"], save=ns["save"], load=ns["load"])
