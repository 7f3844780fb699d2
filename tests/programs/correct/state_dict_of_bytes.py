"""A component's state_dict() is pickled bytes; the optimizer's is a tuple."""
import copy
import functools
import itertools
import json
import math
import os
import pathlib
import random
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping

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

    def step(self, i):
        return self.update(self.loss(*batch(i)))

    def extra(self):
        return {}

    def restore(self, extra):
        pass

    def payload(self):
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "extra": self.extra()}

    def accept(self, ck):
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        self.restore(ck["extra"])

    def save(self, path):
        torch.save(self.payload(), path)

    def load(self, path):
        self.accept(torch.load(path, weights_only=False))


import pickle

class Blob:
    def __init__(self):
        self.v = {"n": 0, "s": {3, 1, 2}}

    def state_dict(self):
        return pickle.dumps(self.v)

    def load_state_dict(self, s):
        self.v = pickle.loads(s)

class Opt(torch.optim.SGD):
    def state_dict(self):
        d = super().state_dict()
        return (d["state"], d["param_groups"])

    def load_state_dict(self, s):
        super().load_state_dict({"state": s[0], "param_groups": s[1]})

class Trainer(Base):
    def setup(self):
        self.blob = Blob()
        self.optimizer = Opt(self.model.parameters(), lr=0.05, momentum=0.9)

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "blob": self.blob}

    def step(self, i):
        self.blob.v["n"] += 1
        return super().step(i)

    def extra(self):
        return self.blob.state_dict()

    def restore(self, extra):
        self.blob.load_state_dict(extra)


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)
