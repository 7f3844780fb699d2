"""fp32 master weights are not in the checkpoint; they are rebuilt from the bf16 weights and lose their low bits at each resume.

TensorAuto/OpenTau#185
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

DOC = 'fp32 master weights are not in the checkpoint; they are rebuilt from the bf16 weights and lose their low bits at each resume. (TensorAuto/OpenTau#185)'
NAMES = ['master']


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
        return super().make_model().bfloat16()

    def make_optimizer(self):
        self.masters = [p.detach().float().clone().requires_grad_() for p in self.model.parameters()]
        return torch.optim.Adam(self.masters, lr=1e-3)

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer}

    def step(self, i):
        x, y = batch(i)
        loss = (self.model(x.bfloat16()).float() - y).pow(2).mean()
        self.model.zero_grad()
        loss.backward()
        for m, p in zip(self.masters, self.model.parameters()):
            m.grad = p.grad.float()
        self.optimizer.step()
        with torch.no_grad():
            for m, p in zip(self.masters, self.model.parameters()):
                p.copy_(m)
        return loss.item()

    def extra(self):
        return {"masters": [m.detach().clone() for m in self.masters]}

    def restore(self, ck):
        with torch.no_grad():
            for m, p, saved in zip(self.masters, self.model.parameters(), ck["masters"]):
                m.copy_(saved if self.fixed else p.float())


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
