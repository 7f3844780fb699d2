"""Quantized tensors: small integers, and the scales and zero points that say which numbers they mean."""

from __future__ import annotations

from math import prod

import torch

from pytest_ckpt.strategies.state.drawing import Numbers
from pytest_ckpt.strategies.state.striding import Fill, Shape

__all__ = ["per_channel", "per_tensor"]

_INTEGERS = {torch.qint8: torch.int8, torch.quint8: torch.uint8, torch.qint32: torch.int32}
_SCALES = (1.0, 0.5, 0.1, 3.0, 1e-6)


def per_tensor(numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a tensor with one scale and one zero point."""
    (scale,), (zero_point,) = _scales(numbers, dtype, 1)
    values = (_integers(dtype, shape, fill) - zero_point) * scale
    return torch.quantize_per_tensor(values.float(), scale, zero_point, dtype)


def per_channel(numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a tensor that has a scale and a zero point for each index of one dimension."""
    axis = numbers.below(len(shape))
    scales, zero_points = _scales(numbers, dtype, shape[axis])
    scale = torch.tensor(scales, dtype=torch.float64, device="cpu")
    zero_point = torch.tensor(zero_points, dtype=torch.int64, device="cpu")
    along = [-1 if dim == axis else 1 for dim in range(len(shape))]
    values = (_integers(dtype, shape, fill) - zero_point.view(along)) * scale.view(along)
    return torch.quantize_per_channel(values.float(), scale, zero_point, axis, dtype)


def _scales(numbers: Numbers, dtype: torch.dtype, count: int) -> tuple[list[float], list[int]]:
    scales = [_SCALES[number] for number in numbers.many(count, len(_SCALES))]
    zero_points = numbers.many(count, 256)
    if dtype is not torch.quint8:
        zero_points = [number if number < 128 else number - 256 for number in zero_points]
    return scales, zero_points


def _integers(dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    return fill(_INTEGERS[dtype], prod(shape)).view(shape).double()
