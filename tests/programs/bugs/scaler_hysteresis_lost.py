"""The dynamic loss scaler tolerates one overflow before it halves the scale; what is left of that hysteresis is not in its state.

DeepSpeed loss_scaler.py: cur_hysteresis is absent from the FP16 optimizer's state_dict
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

DOC = "The dynamic loss scaler tolerates one overflow before it halves the scale; what is left of that hysteresis is not in its state. (DeepSpeed loss_scaler.py: cur_hysteresis is absent from the FP16 optimizer's state_dict)"
NAMES = ['hysteresis']


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


class DynamicLossScaler:
    def __init__(self, fixed):
        self.cur_scale, self.cur_iter, self.last_overflow_iter = 64.0, 0, -1
        self.delayed_shift = self.cur_hysteresis = 2
        self.fixed = fixed

    def update_scale(self, overflow):
        if overflow:
            if self.cur_hysteresis == 1:
                self.cur_scale /= 2
            else:
                self.cur_hysteresis -= 1
            self.last_overflow_iter = self.cur_iter
        self.cur_iter += 1

    def state_dict(self):
        keys = ["cur_scale", "cur_iter", "last_overflow_iter"] + (["cur_hysteresis"] if self.fixed else [])
        return {k: getattr(self, k) for k in keys}

    def load_state_dict(self, state):
        self.__dict__.update(state)


class Trainer(Base):
    def setup(self):
        self.loss_scaler = DynamicLossScaler(self.fixed)

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer, "scaler": self.loss_scaler}

    def step(self, i):
        x, y = batch(i)
        loss = self.loss(x, y)
        self.optimizer.zero_grad()
        (loss * self.loss_scaler.cur_scale).backward()
        overflow = i in (1, 4)
        if not overflow:
            for p in self.model.parameters():
                p.grad /= self.loss_scaler.cur_scale
            self.optimizer.step()
        self.loss_scaler.update_scale(overflow)
        return loss.item()

    def extra(self):
        return {"scaler": self.loss_scaler.state_dict()}

    def restore(self, ck):
        self.loss_scaler.load_state_dict(ck["scaler"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, **({"predict": t.predict} if hasattr(t, "predict") else {}))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
