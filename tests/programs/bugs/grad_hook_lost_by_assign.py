"""A gradient hook keeps old embedding rows frozen; load_state_dict(assign=True) puts a new Parameter in place, without the hook.

pytorch docs of load_state_dict(assign=True): the tensor is replaced; constructed after new-token fine-tuning scripts
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

DOC = 'A gradient hook keeps old embedding rows frozen; load_state_dict(assign=True) puts a new Parameter in place, without the hook. (pytorch docs of load_state_dict(assign=True): the tensor is replaced; constructed after new-token fine-tuning scripts)'
NAMES = ['hook', 'weight']


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


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(6, 4), nn.Linear(4, 1)

    def forward(self, x):
        return self.out(self.embed((x[:, :2].abs() * 3).long().clamp_max(5)).mean(1))


class Trainer(Base):
    def make_model(self):
        return Tokens()

    def setup(self):
        self.freeze_rows()

    def freeze_rows(self):
        def keep_new_rows(grad):
            grad = grad.clone()
            grad[:3] = 0
            return grad
        self.model.embed.weight.register_hook(keep_new_rows)

    def make_optimizer(self):
        return torch.optim.Adam(self.model.parameters(), lr=1e-2)

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"], assign=True)
        for p in self.model.parameters():
            p.requires_grad_()
        self.optimizer = self.make_optimizer()
        self.optimizer.load_state_dict(ck["optimizer"])
        if self.fixed:
            self.freeze_rows()


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
