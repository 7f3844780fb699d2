"""What flows between layers: vectors, sequences, images and tokens of known sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch

__all__ = ["SHAPES", "Image", "Sequence", "Shape", "Tokens", "Vector"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Vector:
    """A tensor of numbers, ``(batch, features)``."""

    batch: int
    features: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of one example."""
        return (self.features,)

    def example(self, generator: torch.Generator) -> torch.Tensor:
        """Return one batch."""
        return torch.randn(self.batch, *self.sizes, generator=generator)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sequence:
    """A tensor of numbers, ``(batch, length, features)``."""

    batch: int
    length: int
    features: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of one example."""
        return (self.length, self.features)

    def example(self, generator: torch.Generator) -> torch.Tensor:
        """Return one batch."""
        return torch.randn(self.batch, *self.sizes, generator=generator)


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """A tensor of numbers, ``(batch, features, height, width)``: the features are the channels."""

    batch: int
    features: int
    height: int
    width: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of one example."""
        return (self.features, self.height, self.width)

    def example(self, generator: torch.Generator) -> torch.Tensor:
        """Return one batch."""
        return torch.randn(self.batch, *self.sizes, generator=generator)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """A tensor of integers, ``(batch, length)``, each below ``features``: the size of the vocabulary."""

    batch: int
    length: int
    features: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of one example."""
        return (self.length,)

    def example(self, generator: torch.Generator) -> torch.Tensor:
        """Return one batch."""
        return torch.randint(self.features, (self.batch, self.length), generator=generator)


Shape: TypeAlias = Vector | Sequence | Image | Tokens

SHAPES: dict[str, type[Shape]] = {"vector": Vector, "sequence": Sequence, "image": Image, "tokens": Tokens}
"""What a module can take, by the name that users write. Draws shrink towards the first."""
