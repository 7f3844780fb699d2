"""The plateau schedule's state has the best value and no num_bad_epochs: the cut comes later in a resumed run.

facebookresearch/fairseq#4071
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

DOC = "The plateau schedule's state has the best value and no num_bad_epochs: the cut comes later in a resumed run. (facebookresearch/fairseq#4071)"
NAMES = ['num_bad_epochs', 'bad_epochs']


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


class FairseqPlateau:
    def __init__(self, optimizer, fixed):
        self.inner = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.2, patience=2)
        self.optimizer, self.fixed = optimizer, fixed

    def step(self, value):
        self.inner.step(value)

    def state_dict(self):
        state = {"best": self.inner.best, "last_epoch": self.inner.last_epoch}
        if self.fixed:
            state["num_bad_epochs"] = self.inner.num_bad_epochs
        return state

    def load_state_dict(self, state):
        self.inner.best, self.inner.last_epoch = state["best"], state["last_epoch"]
        if "num_bad_epochs" in state:
            self.inner.num_bad_epochs = state["num_bad_epochs"]


class Trainer(Base):
    VALIDATION = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]

    def setup(self):
        self.scheduler = FairseqPlateau(self.optimizer, self.fixed)

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def step(self, i):
        loss = super().step(i)
        self.scheduler.step(self.VALIDATION[i])
        return loss

    def extra(self):
        return {"scheduler": self.scheduler.state_dict()}

    def restore(self, ck):
        self.scheduler.load_state_dict(ck["scheduler"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
