"""What becomes of an old checkpoint in a run of today: found by what its tensors hold, never by their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_ckpt.golden.prints import Print, prints_of_file, prints_of_state
from pytest_ckpt.inspection import inspect_checkpoint
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.state import capture
from pytest_ckpt.trips import CallFailed, stage

__all__ = ["Arrival", "origins", "watch_load"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """What a run took from a checkpoint that another version of the code wrote. Paths are those of components' state.

    Attributes:
        refused: What ``load`` raised; nothing else is known then.
        where: The last lines of its traceback.
        kept: Tensors of the checkpoint that are where they were.
        moved: Tensors that are under another name now: the old one, and the new one.
        crossed: Optimizer state that has arrived at another parameter: the old one, and the new one.
        lost: Tensors that are nowhere.
        fresh: Tensors of the run that the checkpoint does not hold; they keep the values they were made with.
        absent: Components that the run no longer has.
    """

    refused: str = ""
    where: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    crossed: tuple[tuple[str, str], ...] = ()
    lost: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def origins(run: LiveRun, path: Path) -> dict[str, str]:
    """Return for each tensor of a checkpoint the path of the state that it holds, told by its content.

    Args:
        run: The run that saved it, as it was then.
        path: The checkpoint.
    """
    at: defaultdict[Print, list[str]] = defaultdict(list)
    for name, found in prints_of_state(_state(run)).items():
        at[found].append(name)
    return {
        name: max(at[found], key=lambda candidate: _common_end(name, candidate))
        for name, found in prints_of_file(inspect_checkpoint(path)).items()
        if found in at
    }


def _common_end(one: str, other: str) -> int:
    for count, (a, b) in enumerate(zip(reversed(one), reversed(other), strict=False)):
        if a != b:
            return count
    return min(len(one), len(other))


def watch_load(run: LiveRun, path: Path, held: Mapping[str, str]) -> Arrival:
    """Load a checkpoint into a fresh run and say what has arrived.

    Args:
        run: The fresh run; its ``load`` is called.
        path: The checkpoint.
        held: What :func:`origins` said of the checkpoint when it was written.
    """
    in_file = prints_of_file(inspect_checkpoint(path))
    before = prints_of_state(_state(run))
    try:
        with stage("load(path)"):
            run.load(path)
        after = prints_of_state(_state(run))
    except CallFailed as failure:
        return Arrival(refused=str(failure), where=failure.where)
    saved = {origin: in_file[name] for name, origin in held.items() if name in in_file}
    return _arrival(saved, before, after, set(run.components))


def _state(run: LiveRun) -> dict[str, Any]:
    return capture(run.components, hidden=False).state


def _arrival(
    saved: Mapping[str, Print], before: Mapping[str, Print], after: Mapping[str, Print], components: set[str]
) -> Arrival:
    at: defaultdict[Print, list[str]] = defaultdict(list)
    for name, found in after.items():
        at[found].append(name)
    places = {name: _place(name, at[found]) for name, found in saved.items() if found in at}
    moved = {old: new for old, new in places.items() if old != new and not saved[old].plain}
    renamed = {_parameter(old): _parameter(new) for old, new in moved.items() if not _is_slot(old)}
    crossed = {old: new for old, new in moved.items() if _is_slot(old) and not _follows(old, new, renamed)}
    lost = [name for name in saved if name not in places and name.partition(".")[0] in components]
    taken = set(places.values())
    fresh = [name for name, found in after.items() if name not in taken and before.get(name) == found]
    return Arrival(
        kept=tuple(name for name, place in places.items() if name == place),
        moved=tuple((old, new) for old, new in moved.items() if old not in crossed),
        crossed=tuple(crossed.items()),
        lost=tuple(lost),
        fresh=tuple(fresh),
        absent=tuple(dict.fromkeys(n.partition(".")[0] for n in saved if n.partition(".")[0] not in components)),
    )


def _place(name: str, found: list[str]) -> str:
    return name if name in found else max(found, key=lambda candidate: _common_end(name, candidate))


def _is_slot(path: str) -> bool:
    """Whether a path leads to what an optimizer keeps for a parameter."""
    return ".state[" in path


def _parameter(path: str) -> str:
    """Return a parameter's name as optimizer state spells it: without the component."""
    return path.partition(".")[2]


def _slot_of(path: str) -> str:
    return path.partition(".state[")[2].rpartition("]")[0]


def _follows(old: str, new: str, renamed: Mapping[str, str]) -> bool:
    was, now = _slot_of(old), _slot_of(new)
    return was == now or renamed.get(was) == now
