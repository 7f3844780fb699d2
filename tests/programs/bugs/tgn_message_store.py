"""A temporal graph network's memory is a buffer; the messages waiting to be folded in are a Python dict and no part of state_dict.

pyg-team/pytorch_geometric TGNMemory (msg_s_store is a dict); twitter-research/tgn#3
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

DOC = "A temporal graph network's memory is a buffer; the messages waiting to be folded in are a Python dict and no part of state_dict. (pyg-team/pytorch_geometric TGNMemory (msg_s_store is a dict); twitter-research/tgn#3)"
NAMES = ['msg_store', 'store']


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


class TGNMemory(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("memory", torch.zeros(6, 4))
        self.gru, self.out = nn.GRUCell(4, 4), nn.Linear(4, 1)
        self.msg_store = {}

    def forward(self, nodes):
        memory = self.memory.clone()
        waiting = [n for n in nodes.unique().tolist() if n in self.msg_store]
        if waiting:
            msgs = torch.stack([self.msg_store[n] for n in waiting])
            memory[waiting] = self.gru(msgs, self.memory[waiting])
        return self.out(memory[nodes])

    @torch.no_grad()
    def update(self, nodes, x):
        waiting = [n for n in nodes.unique().tolist() if n in self.msg_store]
        if waiting:
            self.memory[waiting] = self.gru(torch.stack([self.msg_store[n] for n in waiting]), self.memory[waiting])
        for n, row in zip(nodes.tolist(), x):
            self.msg_store[n] = row


class Trainer(Base):
    def make_model(self):
        return TGNMemory()

    def step(self, i):
        x, y = batch(i)
        nodes = torch.randint(6, (8,), generator=torch.Generator().manual_seed(i))
        loss = self.update((self.model(nodes) - y).pow(2).mean())
        self.model.update(nodes, x)
        return loss

    def extra(self):
        return {"messages": self.model.msg_store}

    def restore(self, ck):
        if self.fixed:
            self.model.msg_store = dict(ck["messages"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
