"""The adapter file keeps what has lora_ in its name; the magnitude vector of DoRA has not and stays as it was initialised.

constructed after adapter savers that filter by 'lora_' (huggingface/peft names it lora_magnitude_vector for this)
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

DOC = "The adapter file keeps what has lora_ in its name; the magnitude vector of DoRA has not and stays as it was initialised. (constructed after adapter savers that filter by 'lora_' (huggingface/peft names it lora_magnitude_vector for this))"
NAMES = ['magnitude']


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


class Dora(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 16).view(4, 4), requires_grad=False)
        self.lora_a, self.lora_b = nn.Parameter(torch.randn(4, 2)), nn.Parameter(torch.zeros(2, 4))
        self.magnitude = nn.Parameter(self.weight.norm(dim=0).clone())

    def forward(self, x):
        w = self.weight + self.lora_a @ self.lora_b
        return (x @ (self.magnitude * w / w.norm(dim=0))).sum(1, keepdim=True)


class Trainer(Base):
    def make_model(self):
        return Dora()

    def make_optimizer(self):
        return torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], lr=1e-2)

    def save(self, path):
        keep = ("lora_", "magnitude") if self.fixed else ("lora_",)
        state = {k: v for k, v in self.model.state_dict().items() if any(s in k for s in keep)}
        torch.save({"adapter": state, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["adapter"], strict=False)
        self.optimizer.load_state_dict(ck["optimizer"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
