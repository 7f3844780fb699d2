"""As in jax: parameters and moments are tuples of tensors, a new state at each step."""
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


class Train:
    def __init__(self):
        self.state = (torch.randn(4, 8) * 0.3, torch.randn(8, 1) * 0.3), (torch.zeros(4, 8), torch.zeros(8, 1)), torch.zeros((), dtype=torch.int32)

    @staticmethod
    def loss(params, x, y):
        return ((x @ params[0]).tanh() @ params[1] - y).pow(2).mean()

    def state_dict(self):
        return {"state": self.state}

    def load_state_dict(self, d):
        self.state = d["state"]

    def step(self, i):
        params, m, t = self.state
        x, y = batch(int(t))
        grads, loss = torch.func.grad_and_value(self.loss)(params, x, y)
        m = tuple(0.9 * a + g for a, g in zip(m, grads))
        self.state = tuple(p - 0.05 * a for p, a in zip(params, m)), m, t + 1
        return loss

    def save(self, path):
        torch.save(self.state, path)

    def load(self, path):
        self.state = torch.load(path)


def make_run():
    t = Train()
    return TrainingRun(components={"train": t}, step=t.step, save=t.save, load=t.load)


RUNS = [("own", make_run), ("default", lambda: (lambda t: TrainingRun(components={"train": t}, step=t.step))(Train()))]
