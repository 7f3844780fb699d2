"""SCAFFOLD's client control variates are lists of tensors of the client objects; the server's checkpoint has none of them.

https://github.com/TL-System/plato/issues/382
"""
import copy
import functools
import itertools
import json
import math
import os
import random
from collections import Counter, defaultdict, deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "SCAFFOLD's client control variates are lists of tensors of the client objects; the server's checkpoint has none of them."
NAMES = ['client_cv', 'control']


def batch(i, n=8, d=4):
    g = torch.Generator().manual_seed(1000 + i)
    return torch.randn(n, d, generator=g), torch.randn(n, 1, generator=g)


class Base:
    def __init__(self, fixed):
        self.fixed = fixed
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.setup()

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

    def extra(self):
        return {}

    def restore(self, extra):
        pass

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "extra": self.extra() if self.fixed else {}}, path)

    def load(self, path):
        ck = torch.load(path, weights_only=False)
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        if self.fixed:
            self.restore(ck["extra"])


class Client:
    def __init__(self, cid, model):
        self.cid = cid
        self.client_cv = [torch.zeros_like(p) for p in model.parameters()]

    def train(self, model, server_cv, i):
        local = copy.deepcopy(model)
        x, y = batch(10 * self.cid + i)
        loss = (local(x) - y).pow(2).mean()
        grads = torch.autograd.grad(loss, list(local.parameters()))
        out = []
        for p, g, c, ci in zip(local.parameters(), grads, server_cv, self.client_cv):
            step = g - ci + c
            ci.lerp_(g, 0.5)
            out.append(p.detach() - 0.1 * step)
        return out, loss.item()

class Trainer(Base):
    def setup(self):
        self.server_cv = [torch.zeros_like(p) for p in self.model.parameters()]
        self.clients = [Client(c, self.model) for c in range(2)]

    def components(self):
        return {"model": self.model}

    def step(self, i):
        results = [c.train(self.model, self.server_cv, i) for c in self.clients]
        with torch.no_grad():
            for p, *new in zip(self.model.parameters(), *(r[0] for r in results)):
                p.copy_(sum(new) / len(new))
            for k, c in enumerate(self.server_cv):
                c.copy_(sum(client.client_cv[k] for client in self.clients) / 2)
        return [r[1] for r in results]

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "server": self.server_cv,
                    "clients": [c.client_cv for c in self.clients]}, path)

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"])
        self.server_cv = ck["server"]
        if self.fixed:
            for c, v in zip(self.clients, ck["clients"]):
                c.client_cv = v


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
