"""Timesteps are drawn in proportion to a history of losses per timestep, numpy arrays of the schedule sampler.

openai/guided-diffusion resample.py
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

DOC = 'Timesteps are drawn in proportion to a history of losses per timestep, numpy arrays of the schedule sampler.'
NAMES = ['_loss_history', '_loss_counts']


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


class LossSecondMomentResampler:
    def __init__(self, n=4):
        self._loss_history, self._loss_counts = np.zeros((n, 2)), np.zeros(n, dtype=int)

    def weights(self):
        w = np.sqrt((self._loss_history ** 2).mean(1)) + 0.1
        return w / w.sum()

    def update(self, t, loss):
        self._loss_history[t] = np.roll(self._loss_history[t], -1)
        self._loss_history[t, -1] = loss
        self._loss_counts[t] += 1

class Trainer(Base):
    def setup(self):
        self.schedule_sampler = LossSecondMomentResampler()

    def step(self, i):
        x, y = batch(i)
        t = int(np.random.default_rng(i).choice(4, p=self.schedule_sampler.weights()))
        loss = self.loss(x * (1 + t) / 4, y) / self.schedule_sampler.weights()[t]
        self.schedule_sampler.update(t, loss.item())
        return self.update(loss)

    def extra(self):
        return {"h": self.schedule_sampler._loss_history, "c": self.schedule_sampler._loss_counts}

    def restore(self, extra):
        self.schedule_sampler._loss_history, self.schedule_sampler._loss_counts = extra["h"], extra["c"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
