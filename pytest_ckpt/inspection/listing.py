"""What is in a checkpoint, as a table that a person reads: every place, or sums of what stands below them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pytest_ckpt.inspection.contents import TensorInfo
from pytest_ckpt.inspection.walking import walk
from pytest_ckpt.inspection.words import count_of_bytes, describe, size_of
from pytest_ckpt.paths import spell

__all__ = ["listing"]

_MOST_LINES = 200
_WIDEST = 60
_STEP = re.compile(r"\.|(?=\[)")


@dataclass(frozen=True, slots=True)
class _Row:
    steps: tuple[str, ...]  # of its path, without dots
    path: str
    words: str
    remark: str
    tensors: int = 0
    elements: int = 0
    bytes: int = 0


def listing(root: Any, depth: int | None = None) -> Iterator[str]:
    """Yield the lines of the table, and of the sums below it.

    Args:
        root: What was read.
        depth: Levels to show, 0 for all; by default as many as give no more than 200 lines.
    """
    rows = list(_rows(root))
    shown = _fitting(rows) if depth is None else depth
    folded = _folded(rows, shown) if shown else rows
    width = min(max((len(row.path) for row in folded), default=0), _WIDEST)
    for row in folded:
        yield f"{row.path:<{width}}  {row.words:<24}  {row.remark}".rstrip()
    yield ""
    if len(folded) < len(rows):
        yield f"{len(rows):,} entries, added up below level {shown}: --depth 0 lists each of them."
    parts = _folded(rows, 1)
    if 1 < len(parts) < len(folded):
        for part in parts:
            if part.tensors > 1:
                yield f"{part.path}: {_sum([part])}"
    yield f"{_sum(rows)}."


def _rows(root: Any) -> Iterator[_Row]:
    first_at: dict[int, str] = {}
    for keys, value in walk(root):
        path = spell(keys)
        steps = tuple(_STEP.split(path))
        if isinstance(value, TensorInfo):
            remark = ", ".join(_remarks(value, path, first_at))
            yield _Row(steps, path, describe(value), remark, 1, value.numel, size_of(value))
        else:
            yield _Row(steps, path, describe(value), "")


def _remarks(tensor: TensorInfo, path: str, first_at: dict[int, str]) -> Iterator[str]:
    yield count_of_bytes(size_of(tensor))
    if tensor.device != "cpu":
        yield tensor.device
    if tensor.kind == "parameter":
        yield tensor.kind
    others = (first_at.setdefault(id(storage), path) for storage in tensor.storages)
    yield from (f"shares memory with {other}" for other in dict.fromkeys(others) if other != path)


def _fitting(rows: list[_Row]) -> int:
    if len(rows) <= _MOST_LINES:
        return 0
    for depth in range(max(len(row.steps) for row in rows), 1, -1):
        if len({row.steps[:depth] for row in rows}) <= _MOST_LINES:
            return depth
    return 1


def _folded(rows: list[_Row], depth: int) -> list[_Row]:
    groups: dict[tuple[str, ...], list[_Row]] = {}
    for row in rows:
        groups.setdefault(row.steps[:depth], []).append(row)
    return [_one(steps, group) for steps, group in groups.items()]


def _one(steps: tuple[str, ...], group: list[_Row]) -> _Row:
    if len(group) == 1:
        return group[0]
    path = "".join(step if step.startswith("[") or not number else f".{step}" for number, step in enumerate(steps))
    tensors, elements, size = (
        sum(values) for values in zip(*((r.tensors, r.elements, r.bytes) for r in group), strict=True)
    )
    words = _sum(group) if tensors else f"{len(group):,} values"
    return _Row(steps, path, words, "", tensors, elements, size)


def _sum(rows: list[_Row]) -> str:
    count = sum(row.tensors for row in rows)
    elements, size = sum(row.elements for row in rows), sum(row.bytes for row in rows)
    return f"{count:,} {'tensor' if count == 1 else 'tensors'} of {elements:,} elements, {count_of_bytes(size)}"
