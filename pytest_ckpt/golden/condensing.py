"""Findings that say the same of many entries, as one: a person reads a parameter, not each of its moments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pytest_ckpt.golden.arrival import is_slot
from pytest_ckpt.golden.verdict import Finding

__all__ = ["condensed", "whole_of"]

_IN_GROUP = re.compile(r"(.*param_groups\[\d+\])\.params\[\d+\]")


def condensed(findings: Sequence[Finding]) -> list[Finding]:
    """Return one finding for all that an optimizer keeps for a parameter, and one for all parameters of a group."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((whole_of(finding.path), finding.kind), []).append(finding)
    return [_one(path, alike) for (path, _), alike in groups.items()]


def whole_of(path: str) -> str:
    """Return the path of what an entry is a part of: a parameter's state, a group's parameters; else the path."""
    if is_slot(path) and not path.endswith("]"):
        return path.rpartition("]")[0] + "]"
    found = _IN_GROUP.fullmatch(path)
    return f"{found[1]}.params" if found else path


def _one(path: str, alike: list[Finding]) -> Finding:
    first = alike[0]
    if path == first.path:
        return first
    if not is_slot(path):
        count = f"{len(alike)} parameters more" if len(alike) > 1 else "one parameter more"
        sides = (count, "nothing") if first.new == "nothing" else ("nothing", count)
        return replace(first, path=path, old=sides[0], new=sides[1])
    return replace(first, path=path, old=_side([f.old for f in alike], alike), new=_side([f.new for f in alike], alike))


def _side(words: list[str], alike: list[Finding]) -> str:
    if all(is_slot(word) for word in words):
        return ", ".join(dict.fromkeys(whole_of(word) for word in words))
    if len(set(words)) == 1:
        return words[0]
    return ", ".join(f"{finding.path.rpartition('.')[2]} {word}" for finding, word in zip(alike, words, strict=True))
