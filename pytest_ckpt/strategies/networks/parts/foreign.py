"""Modules around those of other projects, whose outputs and inputs may be anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from pytest_ckpt.strategies.networks.seeding import seeded

__all__ = ["FirstOutput", "WithOwnInputs", "floats_in"]


class FirstOutput(nn.Module):
    """Gives the first floating-point tensor that a module returns."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of at least two dimensions."""
        found = next(floats_in(self.body(x)))
        return found if 2 <= found.ndim <= 4 else found.reshape(found.shape[0], -1)


class WithOwnInputs(nn.Module):
    """Adds the mean of what a module makes of inputs of its own to whatever flows past it.

    The inputs are made once, under a fixed seed, and kept.
    """

    def __init__(self, body: nn.Module, inputs: Callable[[Any], Any]) -> None:
        super().__init__()
        self.body = body
        with seeded(0):
            self.inputs = inputs(body)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the input's shape."""
        means = [tensor.mean() for tensor in floats_in(_call(self.body, self.inputs))]
        if not means:
            raise TypeError("the module returned no floating-point tensor")
        return x + torch.stack(means).sum().to(x.dtype)


def floats_in(value: Any) -> Iterator[torch.Tensor]:
    """Yield the floating-point tensors in an output, in order."""
    if isinstance(value, torch.Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from floats_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from floats_in(item)


def _call(module: nn.Module, inputs: Any) -> Any:
    if isinstance(inputs, Mapping):
        return module(**inputs)
    return module(*inputs) if isinstance(inputs, tuple) else module(inputs)
