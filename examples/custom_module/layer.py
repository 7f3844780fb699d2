"""A layer that standardizes its input by what it has seen so far, and one that forgets how much that was."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """Subtracts the mean of all batches of the training; how many there were is extra state, not a tensor."""

    mean: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(features))
        self.register_buffer("mean", torch.zeros(features))
        self.batches = 0

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            self.batches += 1
            self.mean += (inputs.detach().mean(dim=0) - self.mean) / self.batches
        return (inputs - self.mean) * self.scale

    def get_extra_state(self) -> dict[str, int]:
        return {"batches": self.batches}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.batches = state["batches"]


class ForgetfulStandardize(Standardize):
    """Saves its extra state and ignores it on load: the next batch counts as the first."""

    def set_extra_state(self, state: Any) -> None:
        pass
