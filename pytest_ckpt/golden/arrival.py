"""What becomes of an old checkpoint in a run of today: found by what its tensors hold, never by their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from pytest_ckpt.golden.conversions import find_converted
from pytest_ckpt.golden.files import files_of
from pytest_ckpt.golden.origins import common_end
from pytest_ckpt.golden.pictures import Picture, picture_of
from pytest_ckpt.golden.prints import Print, prints_of_files
from pytest_ckpt.golden.tensors_of_files import read_tensors
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.trips import CallFailed, stage

__all__ = ["Arrival", "is_slot", "slot_of", "watch_load"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """What a run took from a checkpoint that another version of the code wrote. Paths are those of components' state.

    Attributes:
        refused: What ``load`` raised; nothing else is known then.
        where: The last lines of its traceback.
        kept: Tensors of the checkpoint that are where they were.
        moved: Tensors that are under another name now: the old one, and the new one.
        crossed: Optimizer state that has arrived at another parameter: the old one, and the new one.
        converted: Tensors that are there in another form: the old path, the new one, and what became of them.
        lost: Tensors that are nowhere.
        fresh: Tensors of the run that the checkpoint does not hold; they keep the values they were made with.
        unread: Tensors of ``lost`` under whose name the run has one now that ``load`` has made something else of.
        overwritten: Those of ``unread`` that hold the content of another one of the checkpoint: the path, and its path.
        absent: Components that the run no longer has.
        plain: Names and counts after the load, in words, by their paths.
        untouched: Those of them that are as they were before.
        made: Those that were not there before.
    """

    refused: str = ""
    where: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    crossed: tuple[tuple[str, str], ...] = ()
    converted: tuple[tuple[str, str, str], ...] = ()
    lost: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    overwritten: tuple[tuple[str, str], ...] = ()
    absent: tuple[str, ...] = ()
    plain: tuple[tuple[str, str], ...] = ()
    untouched: tuple[str, ...] = ()
    made: tuple[str, ...] = ()


def watch_load(run: LiveRun, path: Path, holds: Mapping[str, str], load: Callable[[LiveRun, Path], object]) -> Arrival:
    """Load a checkpoint into a fresh run and say what has arrived.

    Args:
        run: The fresh run.
        path: The checkpoint, as ``load`` gets it.
        holds: Whose state each of its tensors holds, as its manifest says.
        load: ``load(run, path)``.
    """
    files = files_of(path)
    in_file = prints_of_files(files)
    before = picture_of(run)
    try:
        with stage("load(path)"):
            load(run, path)
        after = picture_of(run)
    except CallFailed as failure:
        return Arrival(refused=str(failure), where=failure.where)
    saved = {origin: in_file[name] for name, origin in holds.items() if name in in_file}
    names = {origin: name for name, origin in holds.items()}
    return _arrival(saved, before, after, lambda lost: read_tensors(files, {names[item]: item for item in lost}))


def _arrival(
    saved: Mapping[str, Print],
    before: Picture,
    after: Picture,
    read: Callable[[list[str]], Mapping[str, torch.Tensor]],
) -> Arrival:
    places = _places(saved, after.prints)
    moved = {old: new for old, new in places.items() if old != new and not saved[old].plain}
    renamed = {part(old): part(new) for old, new in moved.items() if not is_slot(old) for part in (str, _parameter)}
    crossed = {old: new for old, new in moved.items() if is_slot(old) and not _follows(old, new, renamed)}
    lost = [name for name in saved if name not in places]
    untouched = {name for name, found in after.prints.items() if before.prints.get(name) == found}
    converted = _converted(lost, after, untouched, read) if lost else ()
    gone = [name for name in lost if name not in {old for old, _, _ in converted}]
    by = {found: name for name, found in saved.items() if not found.plain}
    taken = {*places.values(), *(new for _, new, _ in converted)}
    return Arrival(
        kept=tuple(name for name, place in places.items() if name == place or saved[name].plain),
        moved=tuple((old, new) for old, new in moved.items() if old not in crossed),
        crossed=tuple(crossed.items()),
        converted=converted,
        lost=tuple(gone),
        fresh=tuple(name for name in after.prints if name in untouched and name not in taken),
        unread=tuple(name for name in gone if name in after.prints and name not in untouched),
        overwritten=tuple((n, by[after.prints[n]]) for n in gone if n in after.prints and after.prints[n] in by),
        absent=tuple(dict.fromkeys(c for name in gone if (c := _component(name)) not in after.components)),
        plain=tuple(after.plain.items()),
        untouched=tuple(name for name, words in after.plain.items() if before.plain.get(name) == words),
        made=tuple(name for name in after.plain if name not in before.plain),
    )


def _places(saved: Mapping[str, Print], after: Mapping[str, Print]) -> dict[str, str]:
    at: defaultdict[Print, list[str]] = defaultdict(list)
    for name, found in after.items():
        at[found].append(name)
    # What is all zeros is somewhere by chance: it counts as lost where its own place holds something else.
    return {
        name: _place(name, at[found])
        for name, found in saved.items()
        if found in at and not (found.plain and name in after and name not in at[found])
    }


def _place(name: str, found: list[str]) -> str:
    return name if name in found else max(found, key=lambda candidate: common_end(name, candidate))


def _converted(
    lost: list[str], after: Picture, untouched: set[str], read: Callable[[list[str]], Mapping[str, torch.Tensor]]
) -> tuple[tuple[str, str, str], ...]:
    touched = {name: tensor for name, tensor in after.tensors().items() if name not in untouched}
    return tuple(find_converted(read(lost), touched))


def is_slot(path: str) -> bool:
    """Whether a path leads to what an optimizer keeps for a parameter."""
    return ".state[" in path


def slot_of(path: str) -> str:
    """Return the name of the parameter that optimizer state belongs to, without the component."""
    return path.partition(".state[")[2].rpartition("]")[0]


def _component(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


def _parameter(path: str) -> str:
    """Return a parameter's name as the state of an optimizer beside a single module spells it."""
    return path.partition(".")[2]


def _follows(old: str, new: str, renamed: Mapping[str, str]) -> bool:
    was, now = slot_of(old), slot_of(new)
    return was == now or renamed.get(was) == now
