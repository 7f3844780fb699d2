"""What is different between the checkpoints of two versions, by their manifests alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pytest_ckpt.golden.manifest import Manifest
from pytest_ckpt.golden.words import form_of

__all__ = ["Change", "changes_between", "renamed_layers"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference in form.

    Attributes:
        kind: What happened to it.
        path: Where: a path into the file, or of a component's state.
        state: The path of the state whose content a leaf of the file is; empty where that is not known.
        old: What the old manifest says, in words.
        new: What the new one says.
        where: Whether the path is one into the file, of a component, or neither.
    """

    kind: Literal["removed", "added", "changed"]
    path: str
    old: str
    new: str
    state: str = ""
    where: Literal["file", "component", "whole"] = "file"

    def __str__(self) -> str:
        sides = {"removed": f"removed, was {self.old}", "added": f"added, {self.new}"}
        of = f" (of {self.state})" if self.state and self.state != self.path else ""
        return f"{self.path}{of}: {sides.get(self.kind, f'{self.old} -> {self.new}')}"


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
    states = {**new.holds, **old.holds}
    for kind, path, was, now in _differences(old.leaves, new.leaves):
        yield Change(kind=kind, path=path, state=states.get(path, ""), old=was, new=now)
    mine, theirs = old.holds, new.holds
    for path in mine.keys() & theirs.keys():
        if mine[path] != theirs[path]:
            was, now = (f"the content of {name}" for name in (mine[path], theirs[path]))
            yield Change(kind="changed", path=path, state=mine[path], old=was, new=now)


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
        elif form_of(words) != form_of(new[path]):
            yield "changed", path, words, new[path]
    for path, words in new.items():
        if path not in old:
            yield "added", path, _NOTHING, words


def renamed_layers(changes: tuple[Change, ...]) -> dict[str, str]:
    """Guess which names in a module changed: what was removed and what was added look the same.

    A guess serves the advice alone; no verdict depends on it.
    """
    removed = [c for c in changes if c.where == "component" and c.kind == "removed" and _is_tensor(c.old)]
    added = [c for c in changes if c.where == "component" and c.kind == "added" and _is_tensor(c.new)]
    found: dict[str, str] = {}
    for old in removed:
        new = next((c for c in added if c.new == old.old and _root(c.path) == _root(old.path)), None)
        if new is not None:
            added.remove(new)
            was, now = _without_common_end(old.path, new.path)
            found.setdefault(was, now)
    return found


def _is_tensor(words: str) -> bool:
    return ", parameter" in words or ", buffer" in words


def _root(path: str) -> str:
    return path.partition(".")[0]


def _without_common_end(one: str, other: str) -> tuple[str, str]:
    """Return the names below the component, without the keys at their ends that are the same."""
    mine, yours = one.split(".")[1:], other.split(".")[1:]
    while len(mine) > 1 and len(yours) > 1 and mine[-1] == yours[-1]:
        mine.pop(), yours.pop()
    return ".".join(mine), ".".join(yours)
