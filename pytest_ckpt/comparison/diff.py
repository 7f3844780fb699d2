"""Differences as data: strings and numbers only, so that they pickle and hold no tensor alive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Diff", "Kind", "Mismatch"]

Kind: TypeAlias = Literal[
    "missing",
    "unexpected",
    "type",
    "container type",
    "number type",
    "dtype",
    "shape",
    "layout",
    "value",
    "class",
    "requires_grad",
    "strides",
    "device",
    "sharing",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mismatch:
    """One place where the loaded state is not the saved state.

    Attributes:
        path: Keys from the root, such as ``optimizer.state[fc.weight].exp_avg``.
        kind: What differs first; a wrong dtype hides a wrong value.
        expected: The saved leaf, or a short description of it.
        actual: The loaded leaf, likewise.
        detail: One extra line, such as ``3 of 128 elements differ``; may be empty.
        tensor: Whether a tensor was saved there, or loaded where nothing was.
    """

    path: str
    kind: Kind
    expected: str
    actual: str
    detail: str = ""
    tensor: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Diff:
    """All differences between two states; false when there are none.

    Attributes:
        mismatches: In the order of the expected state, additions of the actual one last.
        compared: How many leaves were compared.
    """

    mismatches: tuple[Mismatch, ...]
    compared: int

    def __bool__(self) -> bool:
        return bool(self.mismatches)

    def __iter__(self) -> Iterator[Mismatch]:
        return iter(self.mismatches)

    def __len__(self) -> int:
        return len(self.mismatches)
