"""The average keeps references to the parameters it was given; load replaces them and the average follows parameters nobody trains.

fadel/pytorch_ema (keeps weak references to the parameters); constructed with load_state_dict(assign=True)
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

DOC = 'The average keeps references to the parameters it was given; load replaces them and the average follows parameters nobody trains. (fadel/pytorch_ema (keeps weak references to the parameters); constructed with load_state_dict(assign=True))'
NAMES = ['ema']


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


class EMA:
    def __init__(self, params):
        self.params = list(params)
        self.shadow = [p.detach().clone() for p in self.params]

    @torch.no_grad()
    def update(self):
        for s, p in zip(self.shadow, self.params):
            s.lerp_(p, 0.2)


class Trainer(Base):
    def setup(self):
        self.ema = EMA(self.model.parameters())

    def step(self, i):
        x, y = batch(i)
        pull = sum((p - s).pow(2).sum() for p, s in zip(self.model.parameters(), self.ema.shadow))
        loss = self.update(self.loss(x, y) + pull)
        self.ema.update()
        return loss

    def extra(self):
        return {"ema": self.ema.shadow}

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"], assign=True)
        for p in self.model.parameters():
            p.requires_grad_()
        self.optimizer = self.make_optimizer()
        self.optimizer.load_state_dict(ck["optimizer"])
        self.ema.shadow = ck["ema"]
        if self.fixed:
            self.ema.params = list(self.model.parameters())


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
