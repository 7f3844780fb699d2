"""REINFORCE with an environment in mid-episode, whose state and random generator are saved."""
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


class Env:
    def __init__(self):
        self.rng = np.random.default_rng(4)
        self.pos, self.t = np.zeros(4, np.float32), 0

    def reset(self):
        self.pos, self.t = self.rng.normal(size=4).astype(np.float32), 0

    def move(self, a):
        self.pos = (self.pos * 0.9 + (0.3 if a else -0.3)).astype(np.float32)
        self.t += 1
        return float(-abs(self.pos).sum()), self.t >= 3


class Trainer(Base):
    def make_model(self):
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))

    def setup(self):
        self.env, self.episode, self.baseline, self.returns = Env(), [], 0.0, deque(maxlen=3)

    def step(self, i):
        for _ in range(2):
            obs = torch.from_numpy(self.env.pos.copy())
            with torch.no_grad():
                a = torch.multinomial(self.model(obs).softmax(-1), 1).item()
            r, done = self.env.move(a)
            self.episode.append((obs, a, r))
            if done:
                total = sum(r for *_, r in self.episode)
                self.returns.append(total)
                logp = sum(self.model(o).log_softmax(-1)[a] for o, a, _ in self.episode)
                self.update(-logp * (total - self.baseline))
                self.baseline = sum(self.returns) / len(self.returns)
                self.episode = []
                self.env.reset()
        return r

    def extra(self):
        return {"env": (self.env.rng.bit_generator.state, self.env.pos.copy(), self.env.t), "episode": list(self.episode),
                "baseline": self.baseline, "returns": list(self.returns), "rng": torch.get_rng_state()}

    def restore(self, ck):
        self.env.rng.bit_generator.state, self.env.pos, self.env.t = ck["env"][0], ck["env"][1], ck["env"][2]
        self.episode, self.baseline, self.returns = list(ck["episode"]), ck["baseline"], deque(ck["returns"], maxlen=3)
        torch.set_rng_state(ck["rng"])


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))
