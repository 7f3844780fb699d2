"""Modules around other modules: what makes layers of every kind fit each other."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.parameter import is_lazy

__all__ = [
    "AttendToItself",
    "Branches",
    "ChannelsFirst",
    "InDtype",
    "OutputsOnly",
    "Residual",
    "Stack",
    "channels_last",
    "frozen",
]

AnyModule = TypeVar("AnyModule", bound=nn.Module)


class ChannelsFirst(nn.Module):
    """Gives a ``(batch, length, features)`` sequence to a layer that wants the features second."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the body's output, with the features last."""
        output: torch.Tensor = self.body(x.transpose(1, 2))
        return output.transpose(1, 2)


class Residual(nn.Module):
    """Adds what its body makes of the input to the input."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the input's shape."""
        # Not in place, and the body first: it may itself change what it gets in place.
        output: torch.Tensor = self.body(x)
        return x + output


class Stack(nn.Module):
    """Calls the modules of a list in turn."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last one's output."""
        for layer in self.layers:
            x = layer(x)
        return x


class Branches(nn.Module):
    """Calls the modules of a dict, each with the input, and adds up what they give."""

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleDict(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum of the branches' outputs."""
        return torch.stack([branch(x) for branch in self.branches.values()]).sum(0)


class InDtype(nn.Module):
    """Computes one part of a module in another dtype, and gives its output in that of its input."""

    def __init__(self, body: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.body = body.to(dtype)
        self.dtype = dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the body's output in the dtype of the input."""
        output: torch.Tensor = self.body(x.to(self.dtype))
        return output.to(x.dtype)


class OutputsOnly(nn.Module):
    """Drops the state that a recurrent layer returns beside its outputs."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs of all steps."""
        outputs: torch.Tensor = self.body(x)[0]
        return outputs


class AttendToItself(nn.Module):
    """Gives attention its input as query, key and value."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what was attended to."""
        outputs: Any = self.attention(x, x, x, need_weights=False)
        attended: torch.Tensor = outputs[0]
        return attended


def frozen(body: AnyModule) -> AnyModule:
    """Return the module with no parameter trainable, but for those that only the first call makes."""
    for parameter in body.parameters():
        if not is_lazy(parameter):
            parameter.requires_grad_(False)
    return body


def channels_last(body: AnyModule) -> AnyModule:
    """Return the module with its 4d weights in the memory format ``torch.channels_last``."""
    return body.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
