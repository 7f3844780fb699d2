"""Timers with smoothed throughput and an estimate of the time left; in the checkpoint, but of the machine."""
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
    def setup(self):
        self.smoothed, self.total, self.began = None, 0.0, time.monotonic()

    def step(self, i):
        t = time.perf_counter()
        loss = super().step(i)
        dt = time.perf_counter() - t
        self.total += dt
        self.smoothed = dt if self.smoothed is None else 0.9 * self.smoothed + 0.1 * dt
        return loss

    def extra(self):
        return {"total": self.total, "smoothed": self.smoothed, "saved_at": time.time()}

    def restore(self, ck):
        self.total, self.smoothed = ck["total"], ck["smoothed"]


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))
