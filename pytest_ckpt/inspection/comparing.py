"""Two checkpoints, compared as they stand in their files: first what there is, then every bit."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

from pytest_ckpt.inspection.contents import ArrayInfo, Contents, DtypeInfo, Symbol, TensorInfo, walk
from pytest_ckpt.inspection.values import Values, open_values
from pytest_ckpt.inspection.words import describe
from pytest_ckpt.paths import spell

__all__ = ["FileDifference", "compare_contents"]

Kind = Literal["missing", "added", "type", "dtype", "shape", "value", "device", "trait"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FileDifference:
    """One place where the second file is not the first one.

    Attributes:
        path: The place, as torch spells it.
        kind: What differs first; a wrong dtype hides a wrong value.
        first: What is there in the first file, in words.
        second: What is there in the second.
        detail: One extra line, such as ``3 of 128 bytes``; may be empty.
    """

    path: str
    kind: Kind
    first: str
    second: str
    detail: str = ""


def compare_contents(first: Contents, second: Contents, *, values: bool = True) -> Iterator[FileDifference]:
    """Yield the differences between two checkpoints, in the order of the first file.

    Args:
        first: The one.
        second: The other; it may be in another format.
        values: Whether to compare values as well, bit for bit.

    Raises:
        UnreadableFile: If the values of a tensor are not in its file.
    """
    ours = {spell(keys): value for keys, value in walk(first.root)}
    theirs = {spell(keys): value for keys, value in walk(second.root)}
    with open_values() as reader:
        for path, value in ours.items():
            if path not in theirs:
                yield FileDifference(path=path, kind="missing", first=describe(value), second="nothing")
            elif (found := _difference(path, value, theirs[path], reader if values else None)) is not None:
                yield found
    for path, value in theirs.items():
        if path not in ours:
            yield FileDifference(path=path, kind="added", first="nothing", second=describe(value))


def _difference(path: str, one: Any, other: Any, values: Values | None) -> FileDifference | None:
    words = {"path": path, "first": describe(one), "second": describe(other)}
    if isinstance(one, TensorInfo) and isinstance(other, TensorInfo):
        if one.dtype != other.dtype:
            return FileDifference(kind="dtype", **words)
        if one.shape != other.shape:
            return FileDifference(kind="shape", **words)
        detail = "" if values is None else _unequal_bytes(one, other, values)
        return FileDifference(kind="value", detail=detail, **words) if detail else None
    if type(one) is not type(other):
        return FileDifference(kind="type", **words)
    return None if values is None or _same(one, other) else FileDifference(kind="value", **words)


def _unequal_bytes(one: TensorInfo, other: TensorInfo, values: Values) -> str:
    """Say how many of the bytes differ; nothing if none does."""
    unequal = total = 0
    for a, b in zip_longest(values.chunks(one), values.chunks(other), fillvalue=b""):
        mine, yours = bytes(a), bytes(b)
        total += max(len(mine), len(yours))
        if mine != yours:
            unequal += abs(len(mine) - len(yours)) + sum(x != y for x, y in zip(mine, yours, strict=False))
    return f"{unequal:,} of {total:,} bytes differ" if unequal else ""


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    if isinstance(one, complex):
        return struct.pack("<dd", one.real, one.imag) == struct.pack("<dd", other.real, other.imag)
    if isinstance(one, ArrayInfo):
        return (one.dtype, one.shape, one.data) == (other.dtype, other.shape, other.data)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, set | frozenset):
        return sorted(map(repr, one)) == sorted(map(repr, other))
    if isinstance(one, Symbol | DtypeInfo):
        return str(one) == str(other)
    return bool(one == other) if isinstance(one, str | bytes | int | type(None)) else describe(one) == describe(other)
