"""Functions in functions: the state is in cells, two levels deep."""
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


def build():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-2, momentum=0.5, centered=True)
    seen, scale = 0, 1.0

    def make_step():
        window = deque(maxlen=3)

        def step(i):
            nonlocal seen, scale
            x, y = batch(seen)
            loss = (model(x) * scale - y).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            window.append(loss.item())
            scale = 0.9 * scale + 0.1 * sum(window) / len(window)
            seen += 1
            return {"loss": loss, "scale": scale}

        return step, window

    step, window = make_step()

    def save(path):
        torch.save({"m": model.state_dict(), "o": optimizer.state_dict(), "c": (seen, scale, list(window))}, path)

    def load(path):
        nonlocal seen, scale
        ck = torch.load(path)
        model.load_state_dict(ck["m"])
        optimizer.load_state_dict(ck["o"])
        seen, scale, w = ck["c"]
        window.clear()
        window.extend(w)

    return model, optimizer, step, save, load


def make_run():
    model, optimizer, step, save, load = build()
    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)
