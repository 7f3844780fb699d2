"""A per-parameter lr_mask is put back by the position among trainable parameters, the file counts all: behind a frozen one every mask moves by one.

wochenlong/lora-scripts-next#320
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

DOC = 'A per-parameter lr_mask is put back by the position among trainable parameters, the file counts all: behind a frozen one every mask moves by one. (wochenlong/lora-scripts-next#320)'
NAMES = ['lr_mask']


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


class Automagic(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for g in self.param_groups:
            for p in g["params"]:
                if p.grad is None:
                    continue
                s = self.state[p]
                if not s:
                    s["lr_mask"] = torch.full_like(p, g["lr"])
                    s["sign"] = torch.zeros_like(p)
                agree = s["sign"] * p.grad.sign()
                s["lr_mask"] *= torch.where(agree > 0, 1.3, torch.where(agree < 0, 0.6, 1.0))
                s["sign"] = p.grad.sign()
                p.sub_(s["lr_mask"] * s["sign"])


class Trainer(Base):
    def make_model(self):
        m = nn.ParameterList([nn.Parameter(torch.randn(4) * 0.3) for _ in range(4)])
        m[1].requires_grad_(False)
        return m

    def make_optimizer(self):
        return Automagic(self.model.parameters(), 0.01)

    def loss(self, x, y):
        a, b, c, d = self.model
        return ((x * a).tanh() @ c + (x * b).sin() @ d - y[:, 0]).pow(2).mean()

    def save(self, path):
        state = self.optimizer.state_dict()
        masks = {k: s.pop("lr_mask") for k, s in copy.copy(state)["state"].items() for s in [dict(s)]}
        signs = {k: s["sign"] for k, s in state["state"].items()}
        torch.save({"model": self.model.state_dict(), "masks": masks, "signs": signs}, path)

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"])
        params = list(self.model.parameters())
        trainable = [p for p in params if p.requires_grad]
        self.optimizer.state.clear()
        for position, k in enumerate(sorted(ck["masks"])):
            p = params[k] if self.fixed else trainable[min(k, len(trainable) - 1)]
            self.optimizer.state[params[k]]["sign"] = ck["signs"][k]
            self.optimizer.state[p]["lr_mask"] = ck["masks"][k].clone()
        for p in trainable:
            if "sign" in self.optimizer.state[p] and "lr_mask" not in self.optimizer.state[p]:
                self.optimizer.state[p]["lr_mask"] = torch.full_like(p, 0.01)
        for p in [p for p, s in self.optimizer.state.items() if not s]:
            del self.optimizer.state[p]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
