"""The elements of a tensor as bit patterns, with the ones that get lost on the way to disk turning up often."""

from __future__ import annotations

import sys
from functools import cache

import torch

from pytest_ckpt.strategies.drawing import ByteSource

__all__ = ["make_elements"]

# A NaN, an infinity and a subnormal are told by these: bits of the mantissa, of 16 bits and more.
_MANTISSA = {torch.float16: 10, torch.bfloat16: 7, torch.float32: 23, torch.float64: 52}
_PAYLOAD = 0x23
# Of 256, how often a pattern is a special one.
_SPECIAL = 160


def make_elements(
    source: ByteSource, dtype: torch.dtype, count: int, *, allow_nan: bool, allow_infinity: bool
) -> torch.Tensor:
    """Make ``count`` elements, in a storage of their own. All bytes zero make elements whose bits are zero.

    Args:
        source: Where the bytes come from. One says of each number whether it is a special pattern, which then follows
            from it; for the other ones the bits are asked for.
        dtype: A dtype that is not quantized.
        count: How many.
        allow_nan: Whether NaN may be among them; with any payload, quiet or signalling.
        allow_infinity: Whether infinities may be among them.
    """
    real = dtype.to_real() if dtype.is_complex else dtype
    rows = _patterns(source, real, count * (2 if dtype.is_complex else 1))
    if real.is_floating_point and not (allow_nan and allow_infinity):
        rows[_unwanted(rows.view(-1).view(real), allow_nan=allow_nan, allow_infinity=allow_infinity)] = 0
    return rows.view(-1).view(dtype)


def _patterns(source: ByteSource, dtype: torch.dtype, count: int) -> torch.Tensor:
    if not count:
        return torch.empty((0, dtype.itemsize), dtype=torch.uint8, device="cpu")
    choices = _as_tensor(source(count))
    table = _special_patterns(dtype)
    rows = table[(choices % len(table)).long()]
    if missing := int((others := choices >= _SPECIAL).sum()):
        bits = _as_tensor(source(missing * dtype.itemsize)).reshape(missing, dtype.itemsize)
        rows[others] = bits % 2 if dtype is torch.bool else bits
    return rows


def _as_tensor(content: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


@cache
def _special_patterns(dtype: torch.dtype) -> torch.Tensor:
    """Return the patterns that are lost most easily, one a row, zero first; of integers, the ends of their range."""
    size = dtype.itemsize
    sign, all_ones = 1 << (8 * size - 1), (1 << 8 * size) - 1
    patterns = [0, 1]
    if dtype in _MANTISSA:
        mantissa = _MANTISSA[dtype]
        infinity, quiet = sign - (1 << mantissa), 1 << (mantissa - 1)
        one = (infinity >> 1) & ~((1 << mantissa) - 1)
        patterns = [0, one, one | sign, sign, 1, infinity, infinity | sign]
        patterns += [infinity | quiet, infinity | sign | quiet, infinity | sign | quiet | _PAYLOAD, infinity | _PAYLOAD]
        patterns += [(1 << mantissa) - 1, 1 << mantissa, infinity - 1]  # most of a subnormal, least and most normal
    if dtype is not torch.bool:
        patterns += [sign, all_ones, sign - 1]
    rows = [list(pattern.to_bytes(size, sys.byteorder)) for pattern in patterns]
    return torch.tensor(rows, dtype=torch.uint8, device="cpu")


def _unwanted(numbers: torch.Tensor, *, allow_nan: bool, allow_infinity: bool) -> torch.Tensor:
    unwanted = torch.zeros(numbers.shape, dtype=torch.bool, device="cpu")
    if numbers.dtype is getattr(torch, "float4_e2m1fn_x2", None):
        return unwanted  # two numbers in a byte, none of which is either
    wide = numbers.to(torch.float64)
    if not allow_nan:
        unwanted |= wide.isnan()
    if not allow_infinity:
        unwanted |= wide.isinf()
    return unwanted
