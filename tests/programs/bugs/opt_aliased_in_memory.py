"""An in-memory checkpoint that shares its tensors with the training that goes on.

After https://github.com/pytorch/pytorch/issues/144657 and the warning in the tutorial "Saving and Loading Models":
best_model_state = model.state_dict() needs a deepcopy. This store lives in one process only.
"""

import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The store keeps references to the live momentum buffers; later steps change the checkpoint."
NAMES = ["momentum", "optimizer", "alias", "reference", "share"]
IN_PROCESS_ONLY = True
STORE = {}


def make_run(fixed):
    g = torch.Generator().manual_seed(1)
    x, y = torch.randn(30, 4, generator=g), torch.randn(30, 1, generator=g)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)

    def step(i):
        rows = slice(5 * i, 5 * i + 5)
        loss = nn.functional.smooth_l1_loss(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        weights = copy.deepcopy(model.state_dict())
        optim = optimizer.state_dict()
        STORE[str(path)] = {"model": weights, "optimizer": copy.deepcopy(optim) if fixed else optim}

    def load(path):
        snapshot = STORE[str(path)]
        model.load_state_dict(snapshot["model"])
        optimizer.load_state_dict(copy.deepcopy(snapshot["optimizer"]))

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
