"""The adaptive-KL schedule keeps the learning rate in an attribute that is not synchronised from the loaded optimizer and overwrites its rate at the next update.

leggedrobotics/rsl_rl#221
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

DOC = 'The adaptive-KL schedule keeps the learning rate in an attribute that is not synchronised from the loaded optimizer and overwrites its rate at the next update. (leggedrobotics/rsl_rl#221)'
NAMES = ['learning_rate', 'learning rate', 'lr']


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


class Trainer(Base):
    def setup(self):
        self.learning_rate = 1e-2
        self.desired_kl = 0.002

    def step(self, i):
        x, y = batch(i)
        with torch.no_grad():
            before = self.model(x)
        loss = self.update(self.loss(x, y))
        with torch.no_grad():
            kl = (self.model(x) - before).pow(2).mean().item()
        if kl > self.desired_kl * 2:
            self.learning_rate = max(1e-5, self.learning_rate / 1.5)
        elif 0 < kl < self.desired_kl / 2:
            self.learning_rate = min(1e-1, self.learning_rate * 1.5)
        for g in self.optimizer.param_groups:
            g["lr"] = self.learning_rate
        return loss

    def restore(self, ck):
        if self.fixed:
            self.learning_rate = self.optimizer.param_groups[0]["lr"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
