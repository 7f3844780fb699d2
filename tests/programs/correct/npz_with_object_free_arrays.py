"""np.savez_compressed in a zip with a JSON header, read lazily and closed."""
import copy
import functools
import itertools
import json
import math
import os
import pathlib
import random
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun


def batch(i, n=8, d=4):
    g = torch.Generator().manual_seed(1000 + i)
    return torch.randn(n, d, generator=g), torch.randn(n, 1, generator=g)


class Base:
    def __init__(self):
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

    def step(self, i):
        return self.update(self.loss(*batch(i)))

    def extra(self):
        return {}

    def restore(self, extra):
        pass

    def payload(self):
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "extra": self.extra()}

    def accept(self, ck):
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        self.restore(ck["extra"])

    def save(self, path):
        torch.save(self.payload(), path)

    def load(self, path):
        self.accept(torch.load(path, weights_only=False))


class Trainer(Base):
    def setup(self):
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)

    def save(self, path):
        arrays = {f"m.{k}": v.numpy() for k, v in self.model.state_dict().items()}
        for n, p in enumerate(self.model.parameters()):
            b = self.optimizer.state.get(p, {}).get("momentum_buffer")
            if b is not None:
                arrays[f"b.{n}"] = b.numpy()
        with open(path, "wb") as f:
            np.savez_compressed(f, **arrays)

    def load(self, path):
        with np.load(path) as z:
            self.model.load_state_dict({k[2:]: torch.from_numpy(z[k]) for k in z.files if k.startswith("m.")})
            for n, p in enumerate(self.model.parameters()):
                if f"b.{n}" in z.files:
                    self.optimizer.state[p]["momentum_buffer"] = torch.from_numpy(z[f"b.{n}"])


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)
