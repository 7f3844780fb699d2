"""Two EMA profiles are stored under their decay written to three places: the second overwrites the first in the file.

constructed after NVlabs/edm2 (snapshots named '-%.3f' of the EMA width)
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

DOC = "Two EMA profiles are stored under their decay written to three places: the second overwrites the first in the file. (constructed after NVlabs/edm2 (snapshots named '-%.3f' of the EMA width))"
NAMES = ['ema']


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


class Trainer(Base):
    DECAYS = [0.9001, 0.9004]

    def setup(self):
        self.emas = {d: copy.deepcopy(self.model) for d in self.DECAYS}

    def step(self, i):
        loss = super().step(i)
        for d, shadow in self.emas.items():
            with torch.no_grad():
                for s, p in zip(shadow.parameters(), self.model.parameters()):
                    s.lerp_(p, 1 - d)
        return loss

    def predict(self):
        return self.emas[0.9001](batch(99)[0])

    def name(self, decay):
        return f"{decay:.4f}" if self.fixed else f"{decay:.3f}"

    def extra(self):
        return {"emas": {self.name(d): s.state_dict() for d, s in self.emas.items()}}

    def restore(self, ck):
        for d in self.emas:
            self.emas[d].load_state_dict(ck["emas"][self.name(d)])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
