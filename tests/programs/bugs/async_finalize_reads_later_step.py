"""A writer thread stores the step when it gets to it: by then training has gone on.

NVIDIA-NeMo/Megatron-Bridge#3267
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

DOC = 'A writer thread stores the step when it gets to it: by then training has gone on. (NVIDIA-NeMo/Megatron-Bridge#3267)'
NAMES = ['done', 'step']


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
    def setup(self):
        self.done, self.thread = 0, None

    def step(self, i):
        loss = self.update(self.loss(*batch(self.done)))
        self.done += 1
        return loss

    def save(self, path):
        folder = pathlib.Path(path)
        folder.mkdir(exist_ok=True, parents=True)
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, folder / "weights.pt")
        done = self.done

        def finalize():
            time.sleep(0.02)
            (folder / "step.tmp").write_text(json.dumps(done if self.fixed else self.done))
            os.replace(folder / "step.tmp", folder / "step.json")

        if self.thread:
            self.thread.join()
        (folder / "step.json").unlink(missing_ok=True)
        self.thread = threading.Thread(target=finalize)
        self.thread.start()

    def load(self, path):
        folder = pathlib.Path(path)
        end = time.time() + 2
        while not (folder / "step.json").exists() and time.time() < end:
            time.sleep(0.002)
        ck = torch.load(folder / "weights.pt")
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        self.done = json.loads((folder / "step.json").read_text())


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
