"""load() assigns the unpickled progress to a local variable; the training step goes on with the old one.

After https://github.com/pytorch/ignite/issues/470 (an annealer given to the checkpoint handler still had its first value)
"""

from types import SimpleNamespace

import dill
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "`progress = dill.load(f)` lacks `nonlocal`: sigma and the step count stay at their initial values."
NAMES = ["sigma", "progress", "annealer"]


def make_run(fixed):
    torch.manual_seed(64)
    images = torch.randn(6, 9, 6)
    model = nn.Sequential(nn.Linear(6, 14), nn.ReLU(), nn.Linear(14, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    progress = SimpleNamespace(sigma=1.0, steps=0)

    def step(i):
        pattern = torch.linspace(-1, 1, 6) * progress.sigma
        loss = (model(images[i] + pattern) - images[i]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress.steps += 1
        progress.sigma *= 0.8
        return loss.item()

    def save(path):
        with open(path, "wb") as f:
            dill.dump((model.state_dict(), optimizer.state_dict(), progress), f)

    def load_buggy(path):
        with open(path, "rb") as f:
            weights, optim, progress = dill.load(f)
        model.load_state_dict(weights)
        optimizer.load_state_dict(optim)
        print("resumed at step", progress.steps)

    def load_fixed(path):
        nonlocal progress
        with open(path, "rb") as f:
            weights, optim, progress = dill.load(f)
        model.load_state_dict(weights)
        optimizer.load_state_dict(optim)
        print("resumed at step", progress.steps)

    load = load_fixed if fixed else load_buggy
    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
