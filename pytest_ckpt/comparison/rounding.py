"""Values that lost bits: the loaded ones are the saved ones, rounded to a narrower type."""

from __future__ import annotations

import torch

__all__ = ["rounded_to"]

_NARROW = (torch.float32, torch.float16, torch.bfloat16)
_LOOK = 1 << 20


def rounded_to(expected: torch.Tensor, actual: torch.Tensor) -> str:
    """Return the dtype that turns the first tensor into the second when it is cast there and back, or nothing.

    At most the first 2^20 elements are looked at.
    """
    if expected.dtype not in (torch.float64, torch.float32) or expected.dtype is not actual.dtype:
        return ""
    saved, loaded = (tensor.detach().flatten()[:_LOOK] for tensor in (expected, actual))
    if torch.equal(saved, loaded) or not loaded.any():
        return ""  # other bits of the same numbers, or numbers that are simply lost
    for dtype in _NARROW:
        if torch.equal(saved.to(dtype).to(saved.dtype), loaded):
            return str(dtype).removeprefix("torch.")
    return ""
