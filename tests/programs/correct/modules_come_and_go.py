"""A module is added at step 1 and another removed at step 3; load rebuilds what the file has."""
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


class Trainer(Base):
    def make_model(self):
        return nn.ModuleDict({"a": nn.Linear(4, 1), "b": nn.Linear(4, 1)})

    def step(self, i):
        if i == 1:
            self.model["c"] = nn.Linear(4, 1)
            nn.init.constant_(self.model["c"].weight, 0.1)
            nn.init.zeros_(self.model["c"].bias)
            self.optimizer.add_param_group({"params": list(self.model["c"].parameters()), "lr": 0.05})
        if i == 3:
            gone = set(self.model.pop("b").parameters())
            for p in gone:
                self.optimizer.state.pop(p, None)
            for g in self.optimizer.param_groups:
                g["params"] = [p for p in g["params"] if p not in gone]
        x, y = batch(i)
        return self.update((sum(m(x) for m in self.model.values()) - y).pow(2).mean())

    def extra(self):
        return {"names": list(self.model), "groups": [[n for n, p in self.model.named_parameters() if any(p is q for q in g["params"])] for g in self.optimizer.param_groups]}

    def load(self, path):
        ck = torch.load(path)
        self.model = nn.ModuleDict({n: nn.Linear(4, 1) for n in ck["names"]})
        self.model.load_state_dict(ck["model"])
        named = dict(self.model.named_parameters())
        groups = [{"params": [named[n] for n in g]} for g in ck["groups"]]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-2)
        self.optimizer.load_state_dict(ck["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))
