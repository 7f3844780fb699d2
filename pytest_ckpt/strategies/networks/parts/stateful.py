"""Modules with state of every kind that a checkpoint has to carry."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

__all__ = ["Affine", "Counted", "Offsets", "RunningCentre", "Scales", "Versioned", "WarmedUp"]


class Scales(nn.Module):
    """Multiplies its input by the numbers of a parameter list."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.factors = nn.ParameterList(torch.rand(()) + 0.5 for _ in range(count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the input's shape."""
        scaled: torch.Tensor = x * torch.stack(tuple(self.factors)).prod()
        return scaled


class Affine(nn.Module):
    """Scales and shifts the last dimension, with a parameter dict."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.terms = nn.ParameterDict({"scale": torch.rand(size) + 0.5, "shift": torch.randn(size)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the input's shape."""
        shifted: torch.Tensor = x * self.terms["scale"] + self.terms["shift"]
        return shifted


class Offsets(nn.Module):
    """Adds constants that are in no checkpoint because the constructor makes them again."""

    offsets: torch.Tensor

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        constants = torch.linspace(-1, 1, torch.Size(sizes).numel()).reshape(sizes)
        self.register_buffer("offsets", constants, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the input's shape."""
        return x + self.offsets


class RunningCentre(nn.Module):
    """Takes off a running mean of the last dimension, which training moves.

    Without ``persistent`` the mean is in no checkpoint: a run with it is not the same after a resume.
    """

    mean: torch.Tensor

    def __init__(self, size: int, persistent: bool = True) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size), persistent=persistent)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the input's shape."""
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(x.flatten(0, -2).mean(0), 0.5)
        # A copy, as the next call moves the buffer before this one's gradients may have been taken.
        return x - self.mean.clone()


class WarmedUp(nn.Module):
    """Scales its input by less and less, by a counter of the batches it was trained on."""

    num_batches_tracked: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the input's shape."""
        if self.training:
            self.num_batches_tracked += 1
        return x * (1 + 1 / (1 + self.num_batches_tracked.to(x.dtype)))


class Counted(nn.Module):
    """The same with a Python number, which is in the checkpoint as extra state."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the input's shape."""
        self.calls += self.training
        return x * (1 + 1 / (1 + self.calls))

    def get_extra_state(self) -> dict[str, int]:
        """Return the number of calls in training."""
        return {"calls": self.calls}

    def set_extra_state(self, state: Any) -> None:
        """Take the number of calls over."""
        self.calls = state["calls"]


class Versioned(nn.Module):
    """Scales its input, and reads checkpoints of its first version, which held the scale and not its logarithm."""

    _version = 2

    def __init__(self, size: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(size) - 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the input's shape."""
        return x * self.scale.exp()

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        if local_metadata.get("version", 1) < 2 and f"{prefix}scale" in state_dict:
            state_dict[f"{prefix}scale"] = state_dict[f"{prefix}scale"].clamp_min(1e-8).log()
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)
