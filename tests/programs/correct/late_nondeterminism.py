"""Deterministic for three steps; from then on the rows of a batch come from the system's random source."""
import random

import torch
from torch import nn

from pytest_ckpt import TrainingRun

EXPECT = "undecidable"
system = random.SystemRandom()


def make_run():
    model = nn.Linear(5, 1)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-2)
    x = torch.linspace(-3, 3, 200).view(40, 5).sin()

    def step(i):
        rows = list(range(8)) if i < 3 else system.sample(range(40), 8)
        optimizer.zero_grad()
        loss = (model(x[rows]) - x[rows].prod(1, keepdim=True)).abs().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save([model.state_dict(), optimizer.state_dict()], path)

    def load(path):
        m, o = torch.load(path)
        model.load_state_dict(m)
        optimizer.load_state_dict(o)

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)
