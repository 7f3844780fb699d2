"""PPO: a rollout fills for two steps and is trained on for two epochs; rollout, environment and normaliser are saved."""
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


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(4, dtype=torch.float64))
        self.register_buffer("count", torch.tensor(1e-4, dtype=torch.float64))

    def forward(self, x):
        return (x.double() - self.mean).float()

    def see(self, x):
        self.count += 1
        self.mean += (x.double() - self.mean) / self.count


class Trainer(Base):
    def make_model(self):
        return nn.ModuleDict({"norm": Norm(), "pi": nn.Linear(4, 2), "v": nn.Linear(4, 1)})

    def setup(self):
        self.obs, self.rollout, self.t = torch.zeros(4), [], 0

    def step(self, i):
        m = self.model
        for _ in range(2):
            m["norm"].see(self.obs)
            o = m["norm"](self.obs)
            with torch.no_grad():
                d = torch.distributions.Categorical(logits=m["pi"](o))
                a = d.sample()
            r = -self.obs.abs().sum().item()
            self.rollout.append((o, a, d.log_prob(a), r))
            self.obs = self.obs * 0.8 + (a.item() - 0.5) + 0.1 * torch.randn(4)
            self.t += 1
        loss = None
        if len(self.rollout) >= 4:
            o, a, lp, r = map(lambda v: torch.stack([torch.as_tensor(t) for t in v]), zip(*self.rollout))
            for k in torch.randperm(4).split(2):
                new = torch.distributions.Categorical(logits=m["pi"](o[k])).log_prob(a[k])
                v = m["v"](o[k])[:, 0]
                adv = (r[k] - v).detach()
                loss = self.update(-((new - lp[k]).exp() * adv).mean() + (v - r[k]).pow(2).mean())
            self.rollout = []
        return loss, self.t

    def extra(self):
        return {"obs": self.obs, "rollout": self.rollout, "t": self.t, "rng": torch.get_rng_state()}

    def restore(self, ck):
        self.obs, self.rollout, self.t = ck["obs"], list(ck["rollout"]), ck["t"]
        torch.set_rng_state(ck["rng"])


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))
