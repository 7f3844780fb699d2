"""Much from few choices: a tensor is made of bytes that Hypothesis draws at once.

A choice costs about as much as the making of a small tensor. And Hypothesis mixes the choices of one example anew;
where their number depends on what they are, many a mixture ends before its example is complete, and is discarded.
"""

from __future__ import annotations

import random
from functools import cache

from hypothesis import strategies as st

__all__ = ["Numbers", "draw_element_bytes", "draw_numbers"]

_SMALL = 256


class Numbers:
    """Small numbers, as many as are asked for, out of bytes that are used again from the start at their end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    def below(self, limit: int) -> int:
        """Return the next number from 0 to ``limit - 1``; ``limit`` is at most 256."""
        number = self._content[self._position % len(self._content)]
        self._position += 1
        return number % limit

    def many(self, count: int, limit: int) -> list[int]:
        """Return so many numbers from 0 to ``limit - 1``."""
        return [self.below(limit) for _ in range(count)]


def draw_numbers(draw: st.DrawFn, size: int) -> Numbers:
    """Draw numbers of which the first ``size`` are independent; they shrink towards zeros."""
    return Numbers(draw(_blocks(size)))


def draw_element_bytes(draw: st.DrawFn, size: int) -> bytes:
    """Draw at least ``size`` bytes for elements to be made of.

    Hypothesis chooses the first ones, and shrinks them towards zeros. They are the seed of all others, which come from
    a generator of their own, so that no global random state is touched. Python's own generator gives the same bytes
    on every machine and under every torch, so that an example can be replayed on another one.
    """
    # Always as many, so that they are still there when Hypothesis makes the shape smaller.
    block = draw(_blocks(_SMALL))
    return block if size <= _SMALL else block + random.Random(block).randbytes(size - _SMALL)


@cache
def _blocks(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)
