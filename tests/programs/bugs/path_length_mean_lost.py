"""The mean path length of StyleGAN's regulariser lives in the loss object and is zero after a resume.

NVlabs/stylegan2-ada-pytorch#81, #108 (StyleGAN2Loss.pl_mean)
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

DOC = "The mean path length of StyleGAN's regulariser lives in the loss object and is zero after a resume. (NVlabs/stylegan2-ada-pytorch#81, #108 (StyleGAN2Loss.pl_mean))"
NAMES = ['pl_mean']


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


class StyleLoss:
    def __init__(self):
        self.pl_mean = torch.zeros([])

    def __call__(self, model, x):
        x = x.clone().requires_grad_()
        grads, = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        lengths = grads.square().sum(1).sqrt()
        mean = self.pl_mean.lerp(lengths.mean(), 0.2)
        self.pl_mean.copy_(mean.detach())
        return (lengths - mean).square().mean()


class Trainer(Base):
    def setup(self):
        self.style_loss = StyleLoss()

    def step(self, i):
        x, y = batch(i)
        loss = self.loss(x, y)
        if i % 2 == 0:
            loss = loss + 3 * self.style_loss(self.model, x)
        return self.update(loss)

    def extra(self):
        return {"pl_mean": self.style_loss.pl_mean.clone()}

    def restore(self, ck):
        if self.fixed:
            self.style_loss.pl_mean.copy_(ck["pl_mean"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
