"""Differential-privacy noise from the operating system, as it should be: not reproducible; saved by the plugin."""
import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

EXPECT = "undecidable"


def secure_noise(shape):
    g = torch.Generator().manual_seed(int.from_bytes(os.urandom(7), "little"))
    return torch.randn(shape, generator=g)


def make_run():
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def step(i):
        x = torch.eye(3) + 0.1 * i
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 0]))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for p in model.parameters():
            p.grad += 0.01 * secure_noise(p.shape)
        optimizer.step()
        return loss.item()

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)
