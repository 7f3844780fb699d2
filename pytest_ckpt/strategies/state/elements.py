"""The elements of a tensor as bit patterns, with the ones that get lost on the way to disk turning up often."""

from __future__ import annotations

import sys
from functools import cache

import torch

__all__ = ["bytes_needed", "make_elements"]

# A NaN, an infinity and a subnormal are told by these: bits of the mantissa, of 16 bits and more.
_MANTISSA = {torch.float16: 10, torch.bfloat16: 7, torch.float32: 23, torch.float64: 52}
_PAYLOAD = 0x23
# Of 256, how often a pattern is a special one.
_SPECIAL = 160


def bytes_needed(dtype: torch.dtype, count: int) -> int:
    """Return how many bytes ``make_elements`` takes for so many elements."""
    return _numbers(dtype, count) * (1 + _real(dtype).itemsize)


def make_elements(
    content: bytes, dtype: torch.dtype, count: int, *, allow_nan: bool, allow_infinity: bool
) -> torch.Tensor:
    """Make ``count`` elements in a row, in a storage of their own. All bytes zero make elements whose bits are zero.

    Args:
        content: For each number a byte that says whether it is a special pattern and which one, then the bits of
            each, for those that are not; more than that is left alone.
        dtype: A dtype that is not quantized.
        count: How many.
        allow_nan: Whether NaN may be among them; with any payload, quiet or signalling.
        allow_infinity: Whether infinities may be among them.
    """
    if not count:
        return torch.empty(0, dtype=dtype, device="cpu")
    real = _real(dtype)
    rows = _patterns(content, real, _numbers(dtype, count))
    if real.is_floating_point and not (allow_nan and allow_infinity):
        rows[_unwanted(rows.view(-1).view(real), allow_nan=allow_nan, allow_infinity=allow_infinity)] = 0
    return rows.view(-1).view(dtype)


def _real(dtype: torch.dtype) -> torch.dtype:
    return dtype.to_real() if dtype.is_complex else dtype


def _numbers(dtype: torch.dtype, count: int) -> int:
    return 2 * count if dtype.is_complex else count


def _patterns(content: bytes, dtype: torch.dtype, count: int) -> torch.Tensor:
    drawn = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    choices, bits = drawn[:count], drawn[count : count * (1 + dtype.itemsize)].view(count, dtype.itemsize)
    table = _special_patterns(dtype)
    return torch.where(
        (choices < _SPECIAL).unsqueeze(1),
        table[(choices % len(table)).long()],
        bits % 2 if dtype is torch.bool else bits,
    )


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
    wide = numbers.to(torch.float64)
    if not allow_nan:
        unwanted |= wide.isnan()
    if not allow_infinity:
        unwanted |= wide.isinf()
    return unwanted
