"""step, save and load are partials of functions that take the state as a dict."""
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


def step(state, cfg, i):
    x, y = batch(state["seen"])
    loss = (state["model"](x) - y).pow(cfg["power"]).mean()
    state["optimizer"].zero_grad()
    loss.backward()
    state["optimizer"].step()
    state["seen"] += cfg["stride"]
    return loss.item()


def save(state, path):
    torch.save({k: v.state_dict() if hasattr(v, "state_dict") else v for k, v in state.items()}, path)


def load(state, path):
    for k, v in torch.load(path).items():
        if hasattr(state[k], "load_state_dict"):
            state[k].load_state_dict(v)
        else:
            state[k] = v


def make_run():
    model = nn.Linear(4, 1)
    state = {"model": model, "optimizer": torch.optim.Adagrad(model.parameters(), lr=0.1, lr_decay=0.1), "seen": 0}
    return TrainingRun(components={"model": model, "optimizer": state["optimizer"]}, step=functools.partial(step, state, {"power": 2, "stride": 3}),
                       save=functools.partial(save, state), load=functools.partial(load, state))
