"""Elements in the order of a tensor: views are gathered, shards put in place, bits of the sign and byte order applied.

Without torch, which takes seconds to import: slices of memory with a step are all it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import Literal

from pytest_ckpt.inspection.contents import TensorInfo
from pytest_ckpt.inspection.rebuilt_tensors import ITEM_SIZES

__all__ = ["gathered", "put", "with_marks"]

_CODES: Mapping[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}
_FLIP_SIGN = bytes(value ^ 0x80 for value in range(256))
_COMPLEX = {"complex32": 2, "chalf": 2, "complex64": 4, "complex128": 8}  # bytes of the real part


def gathered(data: memoryview, tensor: TensorInfo, size: int, most: int) -> Iterator[bytes]:
    """Yield the elements of a strided tensor in order.

    Args:
        data: The bytes of its storage, as far as it reaches.
        tensor: Its shape, strides and offset.
        size: Bytes of an element.
        most: How many bytes to yield together, roughly.
    """
    shape, strides, offset = list(tensor.shape), list(tensor.strides), tensor.offset
    if size == 16:  # No machine word is that long: two halves are one more dimension.
        shape, strides, offset, size = [*shape, 2], [*(2 * step for step in strides), 1], 2 * offset, 8
    words = data[: len(data) - len(data) % size].cast(_CODES[size])
    axis = 0
    while axis < len(shape) and prod(shape[axis:]) * size > most:
        axis += 1
    starts = (
        range(0, n * step, step) if step else [0] * n for n, step in zip(shape[:axis], strides[:axis], strict=True)
    )
    for outer in product(*starts):
        yield _block(words, offset + sum(outer), shape[axis:], strides[axis:], size)


def _block(words: memoryview, offset: int, shape: list[int], strides: list[int], size: int) -> bytes:
    if not shape:
        return bytes(words[offset : offset + 1])
    longest = max(range(len(shape)), key=shape.__getitem__)
    target = bytearray(prod(shape) * size)
    goal = memoryview(target).cast(_CODES[size])
    goal_strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    others = [axis for axis in range(len(shape)) if axis != longest]
    count, step = shape[longest], strides[longest]
    for index in product(*(range(shape[axis]) for axis in others)):
        start = offset + sum(i * strides[axis] for i, axis in zip(index, others, strict=True))
        to = sum(i * goal_strides[axis] for i, axis in zip(index, others, strict=True))
        end = to + (count - 1) * goal_strides[longest] + 1
        if step:
            goal[to : end : goal_strides[longest]] = words[start : start + (count - 1) * step + 1 : step]
        else:
            one = memoryview(bytes(words[start : start + 1]) * count).cast(_CODES[size])
            goal[to : end : goal_strides[longest]] = one
    return bytes(target)


def put(whole: bytearray, shape: tuple[int, ...], data: bytes, part: TensorInfo, size: int) -> None:
    """Put the bytes of a shard where they belong in the whole tensor."""
    row = part.shape[-1] * size
    for number, index in enumerate(product(*map(range, part.shape[:-1]))):
        place = [a + b for a, b in zip(part.place, (*index, 0), strict=True)]
        start = sum(n * prod(shape[axis + 1 :]) for axis, n in enumerate(place)) * size
        whole[start : start + row] = data[number * row : (number + 1) * row]


def with_marks(
    pieces: Iterator[bytes | memoryview], tensor: TensorInfo, *, swapped: bool
) -> Iterator[bytes | memoryview]:
    """Yield the same elements in the other byte order or with another sign, where that is called for."""
    size = _size_of_number(tensor)
    for piece in pieces:
        if not (swapped and size > 1) and not tensor.conjugate and not tensor.negative:
            yield piece
            continue
        data = bytearray(piece)
        if swapped:
            for first in range(size // 2):
                other = size - 1 - first
                data[first::size], data[other::size] = data[other::size], data[first::size]
        if tensor.negative:
            data[size - 1 :: size] = data[size - 1 :: size].translate(_FLIP_SIGN)
        if tensor.conjugate:
            data[2 * size - 1 :: 2 * size] = data[2 * size - 1 :: 2 * size].translate(_FLIP_SIGN)
        yield bytes(data)


def _size_of_number(tensor: TensorInfo) -> int:
    return _COMPLEX.get(tensor.dtype, ITEM_SIZES.get(tensor.dtype, 1))
