"""What can happen to a training run, as data: a program is a sequence of events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

__all__ = [
    "STEP",
    "Change",
    "Evaluate",
    "Event",
    "Lineage",
    "Load",
    "Moment",
    "Overwrite",
    "Program",
    "Restart",
    "Save",
    "StartOver",
    "Train",
    "further",
    "joined",
    "moments",
    "saved_moments",
    "steps_in",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Train:
    """Train a number of steps."""

    steps: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluate:
    """Call ``predict`` in eval mode, and go back to training."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Change a setting of the run, as a training program may between two steps.

    Attributes:
        name: Which, by its name in :data:`pytest_ckpt.strategies.machine.changes.CHANGES`.
    """

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Save:
    """Save to a path of its own. Checkpoints are numbered in the order they are saved, from 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Overwrite:
    """Save over a checkpoint, as a program does that keeps one file for its latest; it is another one from then on."""

    checkpoint: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Restart:
    """The process ends; a new one makes a run and loads a checkpoint."""

    checkpoint: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """Load a checkpoint into the run as it is, to go back to it."""

    checkpoint: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StartOver:
    """The process ends; a new one starts from nothing."""


Event: TypeAlias = Train | Evaluate | Change | Save | Overwrite | Restart | Load | StartOver
Program: TypeAlias = tuple[Event, ...]
Lineage: TypeAlias = tuple[Train | Evaluate | Change, ...]
"""What training consists of, step by step; saving, loading and the end of a process are no part of it."""

STEP = Train(steps=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """What is true of a run after an event of a program.

    Attributes:
        lineage: The training behind it.
        history: The same with the saves in between, and nothing that ended a process.
        exact: Whether it is to train as the run that never stopped does. After a load into a run that has
            trained it need not: what no component holds may be as it was before the load.
    """

    lineage: Lineage = ()
    history: Program = ()
    exact: bool = True


def moments(program: Program) -> Iterator[Moment]:
    """Yield what is true of the run after each event."""
    return (now for now, _ in _walk(program))


def saved_moments(program: Program) -> tuple[Moment, ...]:
    """Return what was true of the run when each checkpoint was saved, as they are after a program."""
    *_, (_, saved) = ((Moment(), ()), *_walk(program))
    return saved


def _walk(program: Program) -> Iterator[tuple[Moment, tuple[Moment, ...]]]:
    now, saved = Moment(), list[Moment]()
    for event in program:
        match event:
            case Train(steps=steps):
                now = _longer(now, (STEP,) * steps)
            case Evaluate() | Change():
                now = _longer(now, (event,))
            case Save():
                now = _saved(now)
                saved.append(now)
            case Overwrite(checkpoint=number):
                saved[number] = now = _saved(now)
            case Restart(checkpoint=number):
                now = saved[number]
            case Load(checkpoint=number):
                now = replace(saved[number], exact=False)
            case StartOver():
                now = Moment()
        yield now, tuple(saved)


def _longer(now: Moment, events: Lineage) -> Moment:
    return replace(now, lineage=(*now.lineage, *events), history=(*now.history, *events))


def _saved(now: Moment) -> Moment:
    return replace(now, history=(*now.history, Save()))


def further(now: Moment, before: Moment) -> bool:
    """Whether a run has trained on from where it, or the run it comes from, was before."""
    length = len(before.lineage)
    return now.lineage[:length] == before.lineage and steps_in(now.lineage[length:]) > 0


def steps_in(lineage: Program) -> int:
    """Return the number of training steps in a lineage or a history."""
    return sum(event.steps for event in lineage if isinstance(event, Train))


def joined(lineage: Lineage) -> Program:
    """Return a lineage with neighbouring steps put together."""
    program: list[Train | Evaluate | Change] = []
    for event in lineage:
        if isinstance(event, Train) and program and isinstance(before := program[-1], Train):
            program[-1] = Train(steps=before.steps + event.steps)
        else:
            program.append(event)
    return tuple(program)
