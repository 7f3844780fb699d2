"""Bytes and small numbers, many at a time: one draw costs about as much as the making of a small tensor."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

from hypothesis import strategies as st

__all__ = ["ByteSource", "byte_source", "draw_bytes", "draw_numbers"]

ByteSource: TypeAlias = Callable[[int], bytes]
"""Returns so many bytes."""

_SMALL = 48
_SEEDS = st.integers(min_value=0, max_value=2**32 - 1)


@cache
def _blocks(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def draw_bytes(draw: st.DrawFn, size: int) -> bytes:
    """Draw exactly ``size`` bytes, which shrink towards zeros."""
    return draw(_blocks(size)) if size else b""


def draw_numbers(draw: st.DrawFn, count: int, below: int) -> list[int]:
    """Draw ``count`` numbers from 0 to ``below - 1`` at once, which shrink towards 0; ``below`` is at most 256."""
    return [number % below for number in draw_bytes(draw, count)]


def byte_source(draw: st.DrawFn, elements: int) -> ByteSource:
    """Return where the bits of that many elements come from.

    Hypothesis chooses each bit of a small tensor, and can make it smaller. A larger one comes from a drawn seed
    and a generator of its own, so that it costs one number of an example, and no global random state is touched.
    Python's generator gives the same bytes on every machine and under every torch.
    """
    if elements <= _SMALL:
        return lambda size: draw_bytes(draw, size)
    return random.Random(draw(_SEEDS)).randbytes
