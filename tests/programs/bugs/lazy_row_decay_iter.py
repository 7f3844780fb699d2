"""A sparse optimizer decays a row by the number of iterations since its last visit; prev_iter per row is saved, the counter iter is not.

pytorch/FBGEMM#2884
"""
import collections
import copy
import itertools
import json
import math
import os
import pathlib
import random
import threading
import time
from collections import defaultdict, deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'A sparse optimizer decays a row by the number of iterations since its last visit; prev_iter per row is saved, the counter iter is not. (pytorch/FBGEMM#2884)'
NAMES = ['iter']


def batch(i, n=8, d=4):
    g = torch.Generator().manual_seed(1000 + i)
    return torch.randn(n, d, generator=g), torch.randn(n, 1, generator=g)


class Base:
    def __init__(self, fixed):
        self.fixed = fixed
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


class RowWise:
    def __init__(self, weight):
        self.weight, self.prev_iter, self.iter = weight, torch.zeros(len(weight)), 0

    @torch.no_grad()
    def step(self, rows):
        self.iter += 1
        rows = rows.unique()
        gap = (self.iter - self.prev_iter[rows]).clamp_min(0)
        self.weight[rows] *= (0.9 ** gap)[:, None]
        self.weight[rows] -= 0.1 * self.weight.grad[rows]
        self.prev_iter[rows] = self.iter
        self.weight.grad = None

    def state_dict(self):
        return {"prev_iter": self.prev_iter.clone()}

    def load_state_dict(self, state):
        self.prev_iter.copy_(state["prev_iter"])


class Trainer(Base):
    def make_model(self):
        return nn.Embedding(6, 1)

    def make_optimizer(self):
        return RowWise(self.model.weight)

    def step(self, i):
        rows = torch.tensor([i % 6, (2 * i) % 6, 3])
        loss = (self.model(rows) - 1).pow(2).mean()
        loss.backward()
        self.optimizer.step(rows)
        return loss.item()

    def extra(self):
        return {"iter": self.optimizer.iter}

    def restore(self, ck):
        if self.fixed:
            self.optimizer.iter = ck["iter"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
