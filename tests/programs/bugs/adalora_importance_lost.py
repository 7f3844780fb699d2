"""The rank allocator's smoothed importances are dicts of tensors outside the model: a resumed run prunes other ranks.

constructed after huggingface/peft AdaLoRA RankAllocator (ipt, exp_avg_ipt)
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

DOC = "The rank allocator's smoothed importances are dicts of tensors outside the model: a resumed run prunes other ranks. (constructed after huggingface/peft AdaLoRA RankAllocator (ipt, exp_avg_ipt))"
NAMES = ['ipt']


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


class RankAllocator:
    def __init__(self):
        self.ipt, self.exp_avg_ipt = {}, {}

    def update(self, model):
        for n, p in model.named_parameters():
            self.ipt[n] = (p * p.grad).abs().detach()
            self.exp_avg_ipt[n] = 0.85 * self.exp_avg_ipt.get(n, torch.zeros_like(p)) + 0.15 * self.ipt[n]

    @torch.no_grad()
    def mask(self, model):
        score = self.exp_avg_ipt["0.weight"].sum(1)
        model[0].weight[score.argsort()[:3]] *= 0.5


class Trainer(Base):
    def setup(self):
        self.allocator = RankAllocator()

    def step(self, i):
        loss = super().step(i)
        self.allocator.update(self.model)
        if i >= 3:
            self.allocator.mask(self.model)
        return loss

    def extra(self):
        return {"exp_avg_ipt": self.allocator.exp_avg_ipt}

    def restore(self, ck):
        if self.fixed:
            self.allocator.exp_avg_ipt = dict(ck["exp_avg_ipt"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
