"""What is different between the checkpoints of two versions, by their manifests alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_ckpt.golden.manifest import Manifest
from pytest_ckpt.golden.words import form_of

__all__ = ["KINDS", "Change", "changes_between", "renamed_layers"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference in form.

    Attributes:
        kind: What happened to it; ``content``: it looks the same and holds something else.
        path: Where: a path into the file, or of a component's state.
        state: The path of the state whose content a leaf of the file is; empty where that is not known.
        old: What the old manifest says, in words.
        new: What the new one says.
        where: Whether the path is one into the file, of a component, or neither.
    """

    kind: Literal["removed", "added", "changed", "content"]
    path: str
    old: str
    new: str
    state: str = ""
    where: Literal["file", "component", "whole"] = "file"

    @property
    def is_tensor(self) -> bool:
        """Whether it is a parameter or a buffer of a module."""
        return any(kind in side for kind in (", parameter", ", buffer") for side in (self.old, self.new))

    def __str__(self) -> str:
        if self.kind == "content":
            return f"{self.path}: holds {self.new}, held {self.old}"
        sides = {"removed": f"removed, was {self.old}", "added": f"added, {self.new}"}
        of = f" ({self.state})" if self.state and self.state != self.path else ""
        return f"{self.path}{of}: {sides.get(self.kind, f'{self.old} -> {self.new}')}"


KINDS: Mapping[str, str] = {
    "removed": "not in the new file",
    "added": "not in the old file",
    "changed": "changed",
    "content": "holds something else",
}
"""How a change of a file is called in a finding."""

_NOTHING = "nothing"


def changes_between(old: Manifest, new: Manifest) -> tuple[Change, ...]:
    """Return the differences in form between two manifests; those of values, versions and kept files are none."""
    return (
        *_whole("format", old.format, new.format),
        *_whole("classes", ", ".join(old.classes), ", ".join(new.classes)),
        *_file(old, new),
        *_components(old, new),
    )


def _whole(path: str, old: str, new: str) -> Iterator[Change]:
    if old != new:
        yield Change(kind="changed", path=path, old=old or _NOTHING, new=new or _NOTHING, where="whole")


def _file(old: Manifest, new: Manifest) -> Iterator[Change]:
    mine, theirs = old.holds, new.holds
    states = {**theirs, **mine}
    for kind, path, was, now in _differences(old.leaves, new.leaves):
        yield Change(kind=kind, path=path, state=states.get(path, ""), old=was, new=now)
    for path, was in mine.items():
        if was != (now := theirs.get(path, was)):
            yield Change(kind="content", path=path, state=was, old=was, new=now)


def _components(old: Manifest, new: Manifest) -> Iterator[Change]:
    for name in {**old.components, **new.components}:
        mine, theirs = old.components.get(name, {}), new.components.get(name, {})
        for kind, path, was, now in _differences(mine, theirs):
            spelled = f"{name}{'' if path.startswith('[') else '.'}{path}"
            yield Change(kind=kind, path=spelled, state=spelled, old=was, new=now, where="component")


def _differences(
    old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[tuple[Literal["removed", "added", "changed"], str, str, str]]:
    for path, words in old.items():
        if path not in new:
            yield "removed", path, words, _NOTHING
        elif _form(path, words) != _form(path, new[path]):
            yield "changed", path, words, new[path]
    for path, words in new.items():
        if path not in old:
            yield "added", path, _NOTHING, words


def _form(path: str, words: str) -> str:
    # Where the class of a component is defined is no matter of its checkpoint; what is pickled by name is in classes.
    return words.rpartition(".")[2] if path == "class" else form_of(words)


def same_looking(changes: Sequence[Change]) -> dict[str, str]:
    """Pair what was removed with what was added of the same root, dtype and shape: perhaps it has another name.

    A guess serves messages alone; no verdict depends on it.

    Returns:
        Old path to new path.
    """
    added = [change for change in changes if change.kind == "added"]
    found: dict[str, str] = {}
    for old in changes:
        if old.kind == "removed" and "(" in old.old:
            # With the same last key first: biases and weights may look the same.
            alike = [c for c in added if c.new == old.old and _root(c.path) == _root(old.path)]
            alike.sort(key=lambda c: _last(c.path) != _last(old.path))
            if alike:
                added.remove(alike[0])
                found[old.path] = alike[0].path
    return found


def renamed_layers(changes: Sequence[Change]) -> dict[str, str]:
    """Guess which names of layers changed, from a module's parameters and buffers."""
    pairs = same_looking([change for change in changes if change.where == "component" and change.is_tensor])
    return dict(_without_common_end(old, new) for old, new in pairs.items())


def _root(path: str) -> str:
    return path.partition(".")[0]


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _without_common_end(one: str, other: str) -> tuple[str, str]:
    """Return the names below the component, without the keys at their ends that are the same."""
    mine, yours = one.split(".")[1:], other.split(".")[1:]
    while len(mine) > 1 and len(yours) > 1 and mine[-1] == yours[-1]:
        mine, yours = mine[:-1], yours[:-1]
    return ".".join(mine), ".".join(yours)
