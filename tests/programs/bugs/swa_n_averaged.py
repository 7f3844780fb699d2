"""A running average of weights whose count is a plain integer.

After torch.optim.swa_utils.AveragedModel, which registers n_averaged as a buffer for this very reason, and
Lightning's StochasticWeightAveraging callback (n_averaged restored by hand).
"""

import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "n_averaged restarts at 0: the first update after a resume overwrites the average with the current weights."
NAMES = ["n_averaged", "swa_model", "average"]


class AveragedModel(nn.Module):
    def __init__(self, model, as_buffer):
        super().__init__()
        self.module = copy.deepcopy(model)
        if as_buffer:
            self.register_buffer("n_averaged", torch.tensor(0))
        else:
            self.n_averaged = torch.tensor(0)

    @torch.no_grad()
    def update(self, model):
        for mean, p in zip(self.module.parameters(), model.parameters()):
            mean.add_((p - mean) / (self.n_averaged + 1))
        self.n_averaged = self.n_averaged + 1


def make_run(fixed):
    gen = torch.Generator().manual_seed(58)
    x, y = torch.randn(6, 8, 6, generator=gen), torch.randint(0, 2, (6, 8), generator=gen)
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))
    swa = AveragedModel(model, as_buffer=fixed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)

    def step(i):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if i >= 1:
            swa.update(model)
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "swa": swa.state_dict(), "opt": optimizer.state_dict()}, path)

    def load(path):
        state = torch.load(path)
        model.load_state_dict(state["model"])
        swa.load_state_dict(state["swa"])
        optimizer.load_state_dict(state["opt"])

    return TrainingRun({"model": model, "swa_model": swa, "optimizer": optimizer}, step, save, load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
