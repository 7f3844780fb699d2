"""Which elements of two tensors differ, and by how much, without torch."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from itertools import zip_longest

from pytest_ckpt.inspection.contents import TensorInfo
from pytest_ckpt.inspection.rebuilt_tensors import ITEM_SIZES
from pytest_ckpt.inspection.values import Values

__all__ = ["unequal_elements"]

_CODES = {"float16": "e", "float32": "f", "float64": "d", "int8": "b", "int16": "h", "int32": "i", "int64": "q"}
_UNSIGNED = {"uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q"}
_LOOKED_AT = 10_000  # elements whose difference is calculated; in Python, that takes a few milliseconds


def unequal_elements(one: TensorInfo, other: TensorInfo, values: Values) -> str:
    """Say how many elements differ, and by how much at most; nothing if none does.

    Raises:
        UnreadableFile: If the values of one are not in its file.
    """
    unequal = 0
    in_parts = any(part.parts and not any(shard.place for shard in part.parts) for part in (one, other))
    size = 1 if in_parts else ITEM_SIZES.get(one.dtype, 1)
    largest = _Largest("" if in_parts else one.dtype)
    total = 0
    for a, b in zip_longest(values.chunks(one), values.chunks(other), fillvalue=b""):
        total += max(len(a), len(b))
        if len(a) != len(b):
            unequal += abs(len(a) - len(b)) // size
        if a != b:
            mine, yours = bytes(a), bytes(b)
            marks = _marks(mine, yours, size)
            unequal += len(marks) - marks.count(0)
            largest.look_at(mine, yours, marks, size)
    if not unequal:
        return ""
    what = "bytes" if in_parts else "elements"
    return f"{unequal:,} of {total // size:,} {what} differ{largest.words(unequal)}"


def _marks(a: bytes, b: bytes, size: int) -> bytes:
    """Return one byte for each element: 0 where it is the same in both."""
    length = min(len(a), len(b)) // size * size
    both = (int.from_bytes(a[:length]) ^ int.from_bytes(b[:length])).to_bytes(length)
    folded = 0
    for place in range(size):
        folded |= int.from_bytes(both[place::size])
    return folded.to_bytes(length // size)


class _Largest:
    """The largest absolute difference so far."""

    def __init__(self, dtype: str) -> None:
        self._code = {**_CODES, **_UNSIGNED}.get(dtype, "f" if dtype == "bfloat16" else "")
        self._pad = b"\0\0" if dtype == "bfloat16" else b""  # the upper half of a float32
        self._found = 0.0
        self._seen = 0

    def look_at(self, a: bytes, b: bytes, marks: bytes, size: int) -> None:
        for place in _places(marks) if self._code else ():
            if self._seen >= _LOOKED_AT:
                return
            self._seen += 1
            mine, yours = (self._number(data[place * size : (place + 1) * size]) for data in (a, b))
            difference = abs(mine - yours)
            self._found = max(self._found, math.inf if math.isnan(difference) else difference)

    def _number(self, element: bytes) -> float:
        number: float = struct.unpack(f"<{self._code}", self._pad + element)[0]
        return number

    def words(self, unequal: int) -> str:
        if not self._code or not self._seen:
            return ""
        if math.isinf(self._found):
            return ", some by more than any number (inf or nan)"
        if self._found == 0 and self._seen == unequal:
            return ", by the sign of zeros alone"
        bound = "at most" if self._seen == unequal else "at least"
        return f", by {bound} {self._found:.3g}"


def _places(marks: bytes) -> Iterator[int]:
    return (place for place, mark in enumerate(marks) if mark)
