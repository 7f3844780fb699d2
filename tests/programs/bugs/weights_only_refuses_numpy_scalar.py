"""The best metric is a numpy scalar from the second step on: torch.load refuses the file, the handler takes it for an old one and loads the weights alone.

constructed after pytorch 2.6 weights_only=True breakages (bioimage-io/core-bioimage-io-python#486, mlfoundations/open_clip#1148)
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

DOC = 'The best metric is a numpy scalar from the second step on: torch.load refuses the file, the handler takes it for an old one and loads the weights alone. (constructed after pytorch 2.6 weights_only=True breakages (bioimage-io/core-bioimage-io-python#486, mlfoundations/open_clip#1148))'
NAMES = ['optimizer']


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
    def setup(self):
        self.best = None

    def step(self, i):
        loss = super().step(i)
        if i >= 1:
            self.best = min(np.float64(loss), np.float64(9e9) if self.best is None else self.best)
        return loss

    def save(self, path):
        folder = pathlib.Path(path)
        folder.mkdir(exist_ok=True, parents=True)
        torch.save(self.model.state_dict(), folder / "weights.pt")
        torch.save({"optimizer": self.optimizer.state_dict(), "best": float(self.best) if self.fixed and self.best is not None else self.best}, folder / "trainer.pt")

    def load(self, path):
        folder = pathlib.Path(path)
        self.model.load_state_dict(torch.load(folder / "weights.pt"))
        try:
            ck = torch.load(folder / "trainer.pt")
        except Exception:
            return
        self.optimizer.load_state_dict(ck["optimizer"])
        self.best = ck["best"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
