"""Callbacks registered by class name, each with a state of its own in the checkpoint."""
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


REGISTRY = {}


def register(cls):
    REGISTRY[cls.__name__] = cls
    return cls


@register
class Stopper:
    def __init__(self):
        self.wait, self.best, self.stop = 0, math.inf, False

    def after(self, trainer, loss):
        self.wait = 0 if loss < self.best else self.wait + 1
        self.best = min(self.best, loss)
        self.stop = self.wait >= 2


@register
class Ema:
    def __init__(self):
        self.value = None

    def after(self, trainer, loss):
        self.value = loss if self.value is None else 0.5 * self.value + 0.5 * loss
        for g in trainer.optimizer.param_groups:
            g["lr"] = 1e-2 / (1 + self.value)


@register
class Printer:
    def __init__(self):
        self.lines = []

    def after(self, trainer, loss):
        self.lines.append(f"{loss:.3f}")

    def state(self):
        return {}


class Trainer(Base):
    def setup(self):
        self.callbacks = {name: cls() for name, cls in REGISTRY.items()}

    def step(self, i):
        if self.callbacks["Stopper"].stop:
            return None
        loss = super().step(i)
        for c in self.callbacks.values():
            c.after(self, loss)
        return loss

    def extra(self):
        return {"callbacks": {n: c.state() if hasattr(c, "state") else dict(vars(c)) for n, c in self.callbacks.items()}}

    def restore(self, ck):
        for n, c in self.callbacks.items():
            vars(c).update(ck["callbacks"][n])


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))
