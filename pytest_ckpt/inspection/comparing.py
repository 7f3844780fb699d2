"""Two checkpoints, compared as they stand in their files: first what there is, then every bit."""

from __future__ import annotations

import hashlib
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pytest_ckpt.inspection.contents import ArrayInfo, Contents, DtypeInfo, Symbol, TensorInfo, UnreadableFile
from pytest_ckpt.inspection.unequal import unequal_elements
from pytest_ckpt.inspection.values import Values, open_values
from pytest_ckpt.inspection.walking import walk
from pytest_ckpt.inspection.words import describe
from pytest_ckpt.paths import spell

__all__ = ["FileDifference", "compare_contents"]

Kind = Literal["missing", "added", "moved", "type", "dtype", "shape", "value", "layout"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FileDifference:
    """One place where the second file is not the first one.

    Attributes:
        path: The place, as torch spells it.
        kind: What differs first; a wrong dtype hides a wrong value.
        first: What is there in the first file, in words.
        second: What is there in the second; for a tensor that has moved, its path there.
        detail: One extra line, such as ``3 of 128 elements differ``; may be empty.
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
        values: Whether to compare values as well, bit for bit; only then tensors that have another name are found.

    Raises:
        UnreadableFile: If the values of a tensor are not in its file.
    """
    ours, theirs = _leaves(first), _leaves(second)
    with open_values() as reader:
        moved = _moved(ours, theirs, reader) if values else {}
        for path, value in ours.items():
            if path in moved:
                yield FileDifference(path=path, kind="moved", first=describe(value), second=moved[path])
            elif path not in theirs:
                yield FileDifference(path=path, kind="missing", first=describe(value), second="nothing")
            elif (found := _difference(path, value, theirs[path], reader if values else None)) is not None:
                yield found
    arrived = set(moved.values())
    for path, value in theirs.items():
        if path not in ours and path not in arrived:
            yield FileDifference(path=path, kind="added", first="nothing", second=describe(value))


def _leaves(contents: Contents) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for keys, value in walk(contents.root):
        path, number = spell(keys), 1
        while path in found:  # {"a.b": 1, "a": {"b": 2}} spells two places the same
            number += 1
            path = f"{spell(keys)} ({number})"
        found[path] = value
    return found


def _difference(path: str, one: Any, other: Any, values: Values | None) -> FileDifference | None:
    words = {"path": path, "first": describe(one), "second": describe(other)}
    if isinstance(one, TensorInfo) and isinstance(other, TensorInfo):
        return _tensors(path, one, other, values)
    if type(one) is not type(other):
        return FileDifference(kind="type", **words)
    return None if values is None or _same(one, other) else FileDifference(kind="value", **words)


def _tensors(path: str, one: TensorInfo, other: TensorInfo, values: Values | None) -> FileDifference | None:
    words = {"path": path, "first": describe(one), "second": describe(other)}
    if one.dtype != other.dtype:
        return FileDifference(kind="dtype", **words)
    if one.shape != other.shape:
        return FileDifference(kind="shape", **words)
    # Parameter or not is no difference: half of the formats do not keep it.
    if {one.kind, other.kind} - {"tensor", "parameter"} and one.kind != other.kind:
        return FileDifference(kind="layout", **words)
    try:
        detail = "" if values is None else unequal_elements(one, other, values)
    except (UnreadableFile, OSError, ValueError) as error:
        raise UnreadableFile(f"{path}: {error}") from error
    return FileDifference(kind="value", detail=detail, **words) if detail else None


def _moved(ours: Mapping[str, Any], theirs: Mapping[str, Any], values: Values) -> dict[str, str]:
    """Return where tensors went that have another name in the second file, told by their bits."""
    waiting = {path: value for path, value in theirs.items() if path not in ours and isinstance(value, TensorInfo)}
    gone = {path: value for path, value in ours.items() if path not in theirs and isinstance(value, TensorInfo)}
    # Only what has a counterpart of its dtype and shape is read.
    kinds = {(value.dtype, value.shape) for value in waiting.values()} & {(v.dtype, v.shape) for v in gone.values()}
    places: defaultdict[Any, list[str]] = defaultdict(list)
    for path, value in waiting.items():
        if (value.dtype, value.shape) in kinds and (key := _content(value, values)) is not None:
            places[key].append(path)
    moved = {}
    for path, value in gone.items():
        found = places.get(_content(value, values)) if places and (value.dtype, value.shape) in kinds else None
        if found:
            moved[path] = max(found, key=lambda candidate: _common_end(path, candidate))
            found.remove(moved[path])
    return moved


def _content(tensor: TensorInfo, values: Values) -> tuple[Any, ...] | None:
    if not tensor.storages:
        return None
    digest, seen = hashlib.sha256(), set[int]()
    try:
        for chunk in values.chunks(tensor):
            digest.update(chunk)
            seen = seen if len(seen) > 1 else seen.union(chunk)
    except (UnreadableFile, OSError, ValueError):
        return None
    # Tensors of zeros are equal by chance, and prove nothing.
    return None if len(seen) < 2 else (tensor.dtype, tensor.shape, tensor.kind, digest.digest())


def _common_end(one: str, other: str) -> int:
    for count, (a, b) in enumerate(zip(reversed(one), reversed(other), strict=False)):
        if a != b:
            return count
    return min(len(one), len(other))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    if isinstance(one, complex):
        return struct.pack("<dd", one.real, one.imag) == struct.pack("<dd", other.real, other.imag)
    if isinstance(one, ArrayInfo):
        return (one.dtype, one.shape, one.order, one.data) == (other.dtype, other.shape, other.order, other.data)
    if isinstance(one, list | tuple) and _numbers(one) and _numbers(other):
        return len(one) == len(other) and all(
            type(a) is type(b) and _same(a, b) for a, b in zip(one, other, strict=True)
        )
    if isinstance(one, set | frozenset):
        return sorted(map(describe, one)) == sorted(map(describe, other))
    if isinstance(one, Symbol | DtypeInfo):
        return str(one) == str(other)
    return bool(one == other) if isinstance(one, str | bytes | int | type(None)) else describe(one) == describe(other)


def _numbers(value: Any) -> bool:
    return all(isinstance(item, int | float) for item in value)
