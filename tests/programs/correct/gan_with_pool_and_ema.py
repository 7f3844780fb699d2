"""A GAN with a pool of past fakes, two optimizers, an average of the generator and R1 every third step."""
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
        return nn.ModuleDict({"g": nn.Linear(2, 4), "d": nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))})

    def make_optimizer(self):
        self.d_opt = torch.optim.Adam(self.model["d"].parameters(), lr=1e-2, betas=(0.0, 0.99))
        return torch.optim.Adam(self.model["g"].parameters(), lr=1e-2, betas=(0.0, 0.99))

    def setup(self):
        self.ema = copy.deepcopy(self.model["g"]).requires_grad_(False)
        self.pool, self.rng, self.n = [], random.Random(1), 0

    def components(self):
        return {"model": self.model, "g_opt": self.optimizer, "d_opt": self.d_opt, "ema": self.ema}

    def step(self, i):
        g, d = self.model["g"], self.model["d"]
        real = batch(i)[0].requires_grad_()
        fake = g(torch.randn(8, 2))
        self.pool.append(fake.detach())
        old = self.pool.pop(self.rng.randrange(len(self.pool))) if len(self.pool) > 2 else fake.detach()
        loss = F.softplus(-d(real)).mean() + F.softplus(d(old)).mean()
        if self.n % 3 == 0:
            grad, = torch.autograd.grad(d(real).sum(), real, create_graph=True)
            loss = loss + grad.pow(2).sum(1).mean()
        self.d_opt.zero_grad()
        loss.backward()
        self.d_opt.step()
        self.optimizer.zero_grad()
        F.softplus(-d(g(torch.randn(8, 2)))).mean().backward()
        self.optimizer.step()
        with torch.no_grad():
            for a, b in zip(self.ema.parameters(), g.parameters()):
                a.lerp_(b, 0.1)
        self.n += 1
        return loss.item()

    def predict(self):
        return self.ema(torch.linspace(-1, 1, 8).view(4, 2))

    def extra(self):
        return {"d_opt": self.d_opt.state_dict(), "ema": self.ema.state_dict(), "pool": list(self.pool), "py": self.rng.getstate(), "n": self.n, "rng": torch.get_rng_state()}

    def restore(self, ck):
        self.d_opt.load_state_dict(ck["d_opt"])
        self.ema.load_state_dict(ck["ema"])
        self.pool, self.n = list(ck["pool"]), ck["n"]
        self.rng.setstate(ck["py"])
        torch.set_rng_state(ck["rng"])


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))
