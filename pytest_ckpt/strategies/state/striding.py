"""Dense tensors: elements in a row, and strides that say which of them is where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import TypeAlias

import torch

from pytest_ckpt.strategies.state.drawing import Numbers

__all__ = [
    "Fill",
    "Shape",
    "channels_last",
    "conjugated",
    "contiguous",
    "expanded",
    "negated",
    "overlapping",
    "sliced",
    "transposed",
]

Shape: TypeAlias = tuple[int, ...]
Fill: TypeAlias = Callable[[torch.dtype, int], torch.Tensor]
"""Makes so many elements of a dtype in one row."""


# How many times as large as its elements the storage of a slice may be, about.
_MOST_GAPS = 9


def contiguous(numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a tensor whose elements follow each other."""
    return fill(dtype, prod(shape)).view(shape)


def channels_last(numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make images or volumes whose channels, the second dimension, follow each other."""
    return _strided(dtype, shape, _dense_strides(shape, (0, *range(2, len(shape)), 1)), fill)


def transposed(numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a tensor that has two dimensions swapped."""
    first, step = numbers.many(2, len(shape) - 1)
    # Shrinks towards the last two.
    order = list(range(len(shape)))
    one = len(shape) - 2 - first
    other = (one + 1 + step) % len(shape)
    order[one], order[other] = order[other], order[one]
    return _strided(dtype, shape, _dense_strides(shape, order), fill)


def sliced(numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a view into the midst of a larger storage, with gaps or without."""
    offset, after, *steps = (number + 1 for number in numbers.many(len(shape) + 2, 3))
    for dim, step in enumerate(steps):
        steps[dim] = step if prod(steps[:dim]) * step <= _MOST_GAPS else 1
    return _strided(dtype, shape, _dense_strides(shape, range(len(shape)), steps), fill, offset=offset, after=after)


def expanded(numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a tensor that repeats its elements: one or more strides are zero."""
    where, *repeated = numbers.many(len(shape) + 1, 256)
    strides = [0 if odd % 2 else stride for odd, stride in zip(repeated, _dense_strides(shape), strict=True)]
    strides[where % len(shape)] = 0
    return _strided(dtype, shape, strides, fill)


def overlapping(numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make windows on a row of elements, where one element is in several windows."""
    strides = [number + 1 for number in numbers.many(len(shape), 2)]
    return _strided(dtype, shape, strides, fill)


def conjugated(numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a view that has its conjugate bit set: the storage holds the opposite imaginary parts."""
    return fill(dtype, prod(shape)).view(shape).conj()


def negated(numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a view that has its negative bit set: the storage holds the opposite numbers."""
    return fill(dtype.to_complex(), prod(shape)).view(shape).conj().imag


def _dense_strides(shape: Shape, order: Iterable[int] = (), steps: Sequence[int] = ()) -> list[int]:
    """Return strides without overlap; dimensions later in ``order`` are closer, each with its step."""
    strides = [1] * len(shape)
    extent = 1
    for dim in reversed(list(order) or range(len(shape))):
        strides[dim] = extent * (steps[dim] if steps else 1)
        extent = strides[dim] * max(shape[dim], 1)
    return strides


def _strided(
    dtype: torch.dtype, shape: Shape, strides: Sequence[int], fill: Fill, *, offset: int = 0, after: int = 0
) -> torch.Tensor:
    reach = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + 1 if prod(shape) else 0
    return fill(dtype, offset + reach + after).as_strided(shape, tuple(strides), offset)
