"""The encoder thaws by the model's num_updates, which is set after each update and not by load: for one update it is frozen again.

constructed after facebookresearch/fairseq wav2vec2_asr (freeze_finetune_updates, set_num_updates)
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

DOC = "The encoder thaws by the model's num_updates, which is set after each update and not by load: for one update it is frozen again. (constructed after facebookresearch/fairseq wav2vec2_asr (freeze_finetune_updates, set_num_updates))"
NAMES = ['num_updates']


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


class Wav2Vec(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head, self.num_updates = nn.Linear(4, 8), nn.Linear(8, 1), 0

    def forward(self, x):
        with torch.set_grad_enabled(self.num_updates >= 2):
            h = self.encoder(x)
        return self.head(h.tanh())


class Trainer(Base):
    def make_model(self):
        return Wav2Vec()

    def setup(self):
        self.num_updates = 0

    def step(self, i):
        loss = super().step(i)
        self.num_updates += 1
        self.model.num_updates = self.num_updates
        return loss

    def extra(self):
        return {"num_updates": self.num_updates}

    def restore(self, ck):
        self.num_updates = ck["num_updates"]
        if self.fixed:
            self.model.num_updates = self.num_updates


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
