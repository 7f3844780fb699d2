"""Much from few choices: what is drawn is decided by bytes that Hypothesis draws at once.

A choice costs about as much as the making of a small tensor. And Hypothesis varies an example by putting its choices
in each other's places: where their number depends on what they are, many a variation ends before its example is
complete and is discarded, and where one does not fit into the place of another, it counts as zero, so that the
simplest values would be met again and again. Hence blocks of bytes of one size for all that is drawn together.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from hypothesis import strategies as st

__all__ = ["PROGRAM_BLOCK", "AtOnce", "Numbers", "draw_block", "draw_numbers"]

_T = TypeVar("_T")

PROGRAM_BLOCK = 42
"""The bytes that decide on an optimizer, on a scheduler, on a model of two layers, on what a run is besides these."""

# At the end of a block, for elements.
_ELEMENTS = 256
# Enough to say what kind of tensor it is, how many dimensions there are, how long they are, and what is special about
# them; or how a payload is nested.
_NUMBERS = 64


class Numbers:
    """Small numbers, as many as are asked for, out of bytes that are used again from the start at their end."""

    def __init__(self, content: bytes, elements: bytes = b"") -> None:
        self._content = content
        self._elements = elements
        self._position = 0

    def below(self, limit: int) -> int:
        """Return the next number from 0 to ``limit - 1``; ``limit`` is at most 256."""
        number = self._content[self._position % len(self._content)]
        self._position += 1
        return number % limit

    def many(self, count: int, limit: int) -> list[int]:
        """Return so many numbers from 0 to ``limit - 1``."""
        return [self.below(limit) for _ in range(count)]

    def pick(self, values: Sequence[_T]) -> _T:
        """Return one of up to 256 values; the first for a zero."""
        return values[self.below(len(values))]

    def element_bytes(self, size: int) -> bytes:
        """Return at least ``size`` bytes for elements to be made of.

        Hypothesis chooses the first ones, and shrinks them towards zeros. They are the seed of all others, which come
        from a generator of their own, so that no global random state is touched. Python's own generator gives the same
        bytes on every machine and under every torch, so that an example can be replayed on another one.
        """
        first = self._elements
        return first if size <= len(first) else first + random.Random(first).randbytes(size - len(first))


def draw_numbers(draw: st.DrawFn) -> Numbers:
    """Draw numbers, and bytes for elements; they shrink towards zeros."""
    block = draw_block(draw, _NUMBERS + _ELEMENTS)
    # Read from its end: Hypothesis sorts bytes to make an example simpler, and what is not zero comes last. So that
    # is what the first elements are made of, which stay when the shape shrinks.
    return Numbers(block[:_NUMBERS], block[: _NUMBERS - 1 : -1])


class AtOnce:
    """A ``draw`` that has drawn the blocks of several parts already, no longer than need be: each byte takes time."""

    def __init__(self, draw: st.DrawFn, sizes: Sequence[int]) -> None:
        """Draw blocks of these sizes, to be handed out in this order."""
        self._draw = draw
        self._sizes = iter(sizes)
        self._left = draw(_blocks(sum(sizes)))

    def __call__(self, strategy: st.SearchStrategy[Any], label: object = None) -> Any:
        """Draw what is no block, such as the arguments of a registered class."""
        return self._draw(strategy, label)

    def block(self) -> bytes:
        """Return the next block."""
        size = next(self._sizes)
        block, self._left = self._left[:size], self._left[size:]
        return block


def draw_block(draw: st.DrawFn | AtOnce, size: int) -> bytes:
    """Draw so many bytes, or what :class:`AtOnce` has ready; they shrink towards zeros."""
    return draw.block() if isinstance(draw, AtOnce) else draw(_blocks(size))


@cache
def _blocks(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)
