"""``DrawnModule``: a module with inputs that fit it and a loss."""

from __future__ import annotations

import torch
from torch import nn

from pytest_ckpt.strategies.networks.shapes import Shape

__all__ = ["DrawnModule"]


class DrawnModule(nn.Module):
    """A module together with the shape of what it takes, so that it can be called and trained.

    Attributes:
        body: The module that was drawn.
        inputs: The kind and the sizes of its input.
    """

    def __init__(self, body: nn.Module, inputs: Shape) -> None:
        super().__init__()
        self.body = body
        self.inputs = inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the body's output: floating-point numbers, the batch in front."""
        output: torch.Tensor = self.body(x)
        return output

    def example_inputs(self, seed: int = 0) -> tuple[torch.Tensor]:
        """Return the arguments of one call; the same seed gives the same, and nothing global is drawn from."""
        return (self.inputs.example(torch.Generator().manual_seed(seed)),)

    def loss(self, seed: int = 0) -> torch.Tensor:
        """Return the mean square of the distance to a target drawn under the seed, for ``example_inputs(seed)``.

        It has a gradient where a parameter is trainable. The module stays in the mode it is in.
        """
        output = self(*self.example_inputs(seed))
        target = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed + 1))
        loss: torch.Tensor = (output - target).square().mean()
        return loss

    def extra_repr(self) -> str:
        """Return what :func:`repr` says besides the body."""
        return f"inputs={self.inputs!r}"
