"""The layer as it was in version 1. It is only kept to say what ``trained_by_version_1.pt`` was written by."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .layer import EPSILON


class Standardize(nn.Module):
    """Standardizes each column by a running average of the batches' means and standard deviations."""

    _version = 1
    mean: Tensor
    spread: Tensor
    rows: Tensor

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(columns)))
        self.register_buffer("spread", torch.ones(len(columns)))
        self.register_buffer("rows", torch.tensor(0))

    def forward(self, table: Tensor) -> Tensor:
        if self.training:
            self.rows += len(table)
            share = len(table) / int(self.rows)
            self.mean.lerp_(table.mean(dim=0), share)
            self.spread.lerp_(table.std(dim=0, correction=0), share)
        return (table - self.mean) / (self.spread + EPSILON)
