"""The router's expert bias is a buffer and saved; the load it is corrected by every third step gathers in a buffer that is not persistent.

PrimeIntellect-ai/prime-rl#2953 (non-persistent expert_load_acc), FlagScale#411
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

DOC = "The router's expert bias is a buffer and saved; the load it is corrected by every third step gathers in a buffer that is not persistent. (PrimeIntellect-ai/prime-rl#2953 (non-persistent expert_load_acc), FlagScale#411)"
NAMES = ['expert_load', 'load_acc']


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


class MoE(nn.Module):
    def __init__(self, fixed):
        super().__init__()
        self.gate = nn.Linear(4, 3)
        self.experts = nn.ModuleList(nn.Linear(4, 1) for _ in range(3))
        self.register_buffer("expert_bias", torch.zeros(3))
        self.register_buffer("expert_load_acc", torch.zeros(3), persistent=fixed)

    def forward(self, x):
        scores = self.gate(x).softmax(-1)
        top = (scores + self.expert_bias).argmax(-1)
        if self.training:
            self.expert_load_acc += F.one_hot(top, 3).sum(0)
        out = torch.stack([e(x) for e in self.experts], 1)
        return (out * (F.one_hot(top, 3) * scores)[..., None]).sum(1)

    def update_expert_bias(self):
        self.expert_bias += 0.2 * (self.expert_load_acc.mean() - self.expert_load_acc).sign()
        self.expert_load_acc.zero_()


class Trainer(Base):
    def make_model(self):
        return MoE(self.fixed)

    def step(self, i):
        loss = super().step(i)
        if i % 3 == 2:
            self.model.update_expert_bias()
        return loss


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
