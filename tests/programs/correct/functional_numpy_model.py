"""No torch in the training: numpy weights in a dict component, a numpy Adam, np.random.default_rng saved."""
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


class Trainer:
    def __init__(self):
        r = np.random.default_rng(int(torch.initial_seed() % 1000))
        self.p = {"w": r.normal(size=(4, 1)), "b": np.zeros(1)}
        self.m = {k: np.zeros_like(v) for k, v in self.p.items()}
        self.rng = np.random.default_rng(7)

    def components(self):
        return {"params": self.p, "moments": self.m, "rng": self.rng}

    def step(self, i):
        x = self.rng.normal(size=(8, 4))
        e = x @ self.p["w"] + self.p["b"] - x.sum(1, keepdims=True)
        for k, g in (("w", x.T @ e / 8), ("b", e.mean(0))):
            self.m[k] = 0.9 * self.m[k] + g
            self.p[k] = self.p[k] - 0.05 * self.m[k]
        return float((e ** 2).mean())

    def save(self, path):
        with open(path, "wb") as f:
            np.savez(f, **{f"p{k}": v for k, v in self.p.items()}, **{f"m{k}": v for k, v in self.m.items()},
                     rng=json.dumps(self.rng.bit_generator.state))

    def load(self, path):
        with np.load(path) as z:
            for k in self.p:
                self.p[k], self.m[k] = z[f"p{k}"], z[f"m{k}"]
            self.rng.bit_generator.state = json.loads(str(z["rng"]))


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)
