"""The batch size is halved when memory runs out; the checkpoint does not have the size that was found, so a resumed run trains with the old one.

huggingface/transformers auto_find_batch_size and resume (PR 'Fix resume with auto_find_batch_size', TrainerState.train_batch_size)
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

DOC = "The batch size is halved when memory runs out; the checkpoint does not have the size that was found, so a resumed run trains with the old one. (huggingface/transformers auto_find_batch_size and resume (PR 'Fix resume with auto_find_batch_size', TrainerState.train_batch_size))"
NAMES = ['batch_size']


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
        self.train_batch_size = 16

    def step(self, i):
        x, y = batch(i, n=16)
        if i == 2 and self.train_batch_size > 8:
            self.train_batch_size //= 2
        return self.update(self.loss(x[:self.train_batch_size], y[:self.train_batch_size]))

    def extra(self):
        return {"train_batch_size": self.train_batch_size}

    def restore(self, ck):
        if self.fixed:
            self.train_batch_size = ck["train_batch_size"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
