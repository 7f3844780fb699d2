"""Gaussians split by gradients gathered since the last densification; points and moments are saved, the accumulators are zero after a resume.

nerfstudio-project/gsplat#511 (resume from points only); graphdeco-inria/gaussian-splatting saves xyz_gradient_accum in capture()
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

DOC = 'Gaussians split by gradients gathered since the last densification; points and moments are saved, the accumulators are zero after a resume. (nerfstudio-project/gsplat#511 (resume from points only); graphdeco-inria/gaussian-splatting saves xyz_gradient_accum in capture())'
NAMES = ['accum', 'denom']


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
        return nn.ParameterDict({"xyz": nn.Parameter(torch.randn(6, 4) * 0.3)})

    def make_optimizer(self):
        return torch.optim.Adam(self.model.parameters(), lr=1e-2)

    def setup(self):
        self.xyz_gradient_accum, self.denom = torch.zeros(6), 0

    def loss(self, x, y):
        return (torch.cdist(x, self.model["xyz"]).min(1).values - y.abs()[:, 0]).pow(2).mean()

    def resize(self, xyz):
        self.model["xyz"] = nn.Parameter(xyz.clone())
        self.optimizer = self.make_optimizer()

    def step(self, i):
        loss = super().step(i)
        self.xyz_gradient_accum += self.model["xyz"].grad.norm(dim=1)
        self.denom += 1
        if i == 3:
            grads = self.xyz_gradient_accum / self.denom
            chosen = grads > grads.mean()
            with torch.no_grad():
                xyz = torch.cat([self.model["xyz"], self.model["xyz"][chosen] + 0.1])
            self.resize(xyz)
            self.xyz_gradient_accum, self.denom = torch.zeros(len(xyz)), 0
        return loss

    def extra(self):
        return {"xyz_gradient_accum": self.xyz_gradient_accum.clone(), "denom": self.denom}

    def load(self, path):
        ck = torch.load(path)
        self.resize(ck["model"]["xyz"])
        self.optimizer.load_state_dict(ck["optimizer"])
        self.xyz_gradient_accum, self.denom = torch.zeros(len(self.model["xyz"])), 0
        if self.fixed:
            self.xyz_gradient_accum, self.denom = ck["xyz_gradient_accum"].clone(), ck["denom"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
