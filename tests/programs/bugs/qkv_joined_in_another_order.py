"""The fused qkv projection is split into q, k and v for the file and joined as k, q, v.

constructed after checkpoint converters (cf. huggingface/transformers#43701 and victorchall/EveryDream2trainer#219 on to_q/to_k/to_v renaming)
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

DOC = 'The fused qkv projection is split into q, k and v for the file and joined as k, q, v. (constructed after checkpoint converters (cf. huggingface/transformers#43701 and victorchall/EveryDream2trainer#219 on to_q/to_k/to_v renaming))'
NAMES = ['qkv']


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


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(4, 12), nn.Linear(4, 1)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.out((q @ k.T / 2).softmax(-1) @ v)


class Trainer(Base):
    def make_model(self):
        return Attention()

    def save(self, path):
        state = dict(self.model.state_dict())
        for kind in ("weight", "bias"):
            for name, part in zip("qkv", state.pop("qkv." + kind).chunk(3)):
                state[f"{name}_proj.{kind}"] = part.clone()
        torch.save({"model": state, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        state = ck["model"]
        for kind in ("weight", "bias"):
            parts = {n: state.pop(f"{n}_proj.{kind}") for n in "qkv"}
            state["qkv." + kind] = torch.cat([parts[n] for n in ("qkv" if self.fixed else "kqv")])
        self.model.load_state_dict(state)
        self.optimizer.load_state_dict(ck["optimizer"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
