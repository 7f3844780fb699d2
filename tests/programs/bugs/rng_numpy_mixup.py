"""Mixup draws lambda from NumPy; only torch's and Python's random states are saved.

After timm's Mixup (np.random.beta) and https://github.com/huggingface/accelerate/pull/4217 (one of several RNGs restored)
"""

import random

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "NumPy's global random state is forgotten, so mixup's lambda differs after a resume."
NAMES = ["numpy", "rng", "random"]


def rng_state(with_numpy):
    state = {"torch": torch.get_rng_state(), "python": random.getstate()}
    if with_numpy:
        state["numpy"] = np.random.get_state()
    return state


def set_rng_state(state):
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
    if "numpy" in state:
        np.random.set_state(state["numpy"])


def make_run(fixed):
    gen = torch.Generator().manual_seed(15)
    images, labels = torch.rand(6, 8, 12, generator=gen), torch.randint(0, 4, (6, 8), generator=gen)
    model = nn.Sequential(nn.Linear(12, 16), nn.GELU(), nn.Linear(16, 4))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    def train_one_batch(i):
        lam = float(np.random.beta(0.8, 0.8))
        target = nn.functional.one_hot(labels[i], 4).float()
        x = lam * images[i] + (1 - lam) * images[i].flip(0)
        loss = nn.functional.cross_entropy(model(x), lam * target + (1 - lam) * target.flip(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "rng": rng_state(fixed)}, path)

    def load(path):
        state = torch.load(path, weights_only=False)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        set_rng_state(state["rng"])

    return TrainingRun({"model": model, "optimizer": optimizer}, train_one_batch, save, load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
