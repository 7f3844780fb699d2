"""Class weights changed in place are shared by trainer and criterion, and load copies into them."""
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
        return nn.Linear(4, 3)

    def setup(self):
        self.class_weights = torch.ones(3)
        self.criterion = nn.CrossEntropyLoss(weight=self.class_weights)

    def step(self, i):
        x, _ = batch(i)
        y = (x[:, 0] > 0).long() + (x[:, 1] > 1).long()
        out = self.model(x)
        loss = self.update(self.criterion(out, y))
        self.class_weights.mul_(0.7).add_(0.3 * (1 + F.one_hot(y, 3)[out.argmax(-1) != y].sum(0)))
        return loss

    def extra(self):
        return {"class_weights": self.class_weights}

    def restore(self, ck):
        self.class_weights.copy_(ck["class_weights"])


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))
