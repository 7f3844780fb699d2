"""Self-adaptive thresholds of pseudo labels (time_p, p_model) are tensors of the algorithm's hook and start uniform after a resume.

constructed after FreeMatch / TorchSSL (p_model, time_p)
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

DOC = "Self-adaptive thresholds of pseudo labels (time_p, p_model) are tensors of the algorithm's hook and start uniform after a resume. (constructed after FreeMatch / TorchSSL (p_model, time_p))"
NAMES = ['time_p', 'p_model']


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
    def make_model(self):
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))

    def setup(self):
        self.p_model, self.time_p = torch.ones(3) / 3, torch.tensor(1 / 3)

    def step(self, i):
        x, _ = batch(i, n=16)
        logits = self.model(x)
        probs = logits.detach().softmax(-1)
        self.time_p = 0.7 * self.time_p + 0.3 * probs.max(-1).values.mean()
        self.p_model = 0.7 * self.p_model + 0.3 * probs.mean(0)
        conf, label = probs.max(-1)
        mask = (conf > self.time_p * (self.p_model / self.p_model.max())[label]).float()
        return self.update((F.cross_entropy(logits, label, reduction="none") * mask).mean() + F.cross_entropy(logits, (x[:, 0] > 0).long()))

    def extra(self):
        return {"p_model": self.p_model, "time_p": self.time_p}

    def restore(self, ck):
        if self.fixed:
            self.p_model, self.time_p = ck["p_model"], ck["time_p"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
