"""Whose state each tensor of a checkpoint holds, told by its content and never by its name."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_ckpt.golden.files import files_of
from pytest_ckpt.golden.pictures import picture_of
from pytest_ckpt.golden.prints import Print, prints_of_files
from pytest_ckpt.runs import LiveRun

__all__ = ["common_end", "origins"]


def origins(run: LiveRun, path: Path) -> dict[str, str]:
    """Return for each tensor of a checkpoint the path of the state that it holds.

    Several tensors may have the same content, as biases of zeros and the steps of an optimizer do. Such a tensor goes
    with its neighbours: ``o.state[3].step`` belongs to the parameter whose moments are in ``o.state[3]``.

    Args:
        run: The run that saved it, as it was then.
        path: What ``save`` was called with.
    """
    in_file = prints_of_files(files_of(path))
    at: defaultdict[Print, list[str]] = defaultdict(list)
    for name, found in picture_of(run).prints.items():
        at[found].append(name)
    candidates = {name: at[found] for name, found in in_file.items() if found in at}
    return dict(_chosen(candidates))


def _chosen(candidates: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    certain = {name: found[0] for name, found in candidates.items() if len(found) == 1}
    neighbours: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, found in certain.items():
        neighbours[_above(name)][_above(found)] += 1
    for name, places in candidates.items():
        votes = neighbours[_above(name)]
        yield name, max(places, key=lambda place: (votes[_above(place)], common_end(name, place)))


def _above(path: str) -> str:
    """Return a path without its last key."""
    return re.sub(r"(\.[^.\[\]]*|\[[^\[\]]*\])$", "", path)


def common_end(one: str, other: str) -> int:
    """Return how many characters two paths have in common at their ends."""
    for count, (a, b) in enumerate(zip(reversed(one), reversed(other), strict=False)):
        if a != b:
            return count
    return min(len(one), len(other))
