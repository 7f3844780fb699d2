"""A callback lowers optimizer.defaults['lr'] for groups to come; defaults are in no state dict.

constructed after fine-tuning callbacks; torch docs: state_dict has state and param_groups
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

DOC = "A callback lowers optimizer.defaults['lr'] for groups to come; defaults are in no state dict. (constructed after fine-tuning callbacks; torch docs: state_dict has state and param_groups)"
NAMES = ['defaults']


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
    def make_optimizer(self):
        self.model[0].requires_grad_(False)
        return torch.optim.Adam(self.model[2].parameters(), lr=1e-2)

    def setup(self):
        self.unfrozen = False

    def unfreeze(self):
        self.unfrozen = True
        self.model[0].requires_grad_()
        self.optimizer.add_param_group({"params": list(self.model[0].parameters())})

    def step(self, i):
        if i == 1:
            self.optimizer.defaults["lr"] = 1e-3
        if i == 4:
            self.unfreeze()
        return super().step(i)

    def extra(self):
        return {"unfrozen": self.unfrozen, "lr": self.optimizer.defaults["lr"]}

    def load(self, path):
        ck = torch.load(path)
        self.optimizer = self.make_optimizer()
        self.unfrozen = False
        if self.fixed:
            self.optimizer.defaults["lr"] = ck["lr"]
        if ck["unfrozen"]:
            self.unfreeze()
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
