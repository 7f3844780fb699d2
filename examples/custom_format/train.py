"""A classifier of irises, whose optimizer counts its steps in scalars and whose first layer is in double precision."""

from __future__ import annotations

import functools

import torch
from sklearn.datasets import load_iris
from torch import Tensor, nn

from pytest_ckpt import TrainingRun


@functools.cache
def irises() -> tuple[Tensor, Tensor]:
    """Four lengths of each of 150 irises, in double precision, and which of three species it is."""
    bunch = load_iris()
    return torch.from_numpy(bunch.data), torch.from_numpy(bunch.target).long()


class ToSingle(nn.Module):
    """The end of double precision."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.float()


def make_run() -> TrainingRun:
    """Build the program without ``save`` and ``load``, so that it is the formats that are tested."""
    model = nn.Sequential(
        nn.BatchNorm1d(4, dtype=torch.float64), ToSingle(), nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    def step(i: int) -> float:
        inputs, species = irises()
        batch = torch.randint(len(inputs), (32,))
        loss = nn.functional.cross_entropy(model(inputs[batch]), species[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(
        components={"model": model, "optimizer": optimizer},
        step=step,
        predict=lambda: model(irises()[0]),
        name="irises",
    )
