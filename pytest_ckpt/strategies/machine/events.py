"""What can happen to a training run, as data: a program is a sequence of events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "STEP",
    "Change",
    "Evaluate",
    "Event",
    "Lineage",
    "Load",
    "Moment",
    "Program",
    "Restart",
    "Save",
    "StartOver",
    "Train",
    "joined",
    "moments",
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


Event: TypeAlias = Train | Evaluate | Change | Save | Restart | Load | StartOver
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
        restarted: Whether it comes from a checkpoint.
    """

    lineage: Lineage = ()
    history: Program = ()
    exact: bool = True
    restarted: bool = False


def moments(program: Program) -> Iterator[Moment]:
    """Yield what is true of the run after each event."""
    now, saved = Moment(), list[Moment]()
    for event in program:
        match event:
            case Train(steps=steps):
                now = _further(now, (STEP,) * steps)
            case Evaluate() | Change():
                now = _further(now, (event,))
            case Save():
                now = _with_history(now, (*now.history, event))
                saved.append(now)
            case Restart(checkpoint=number):
                now = saved[number]
                now = Moment(lineage=now.lineage, history=now.history, exact=now.exact, restarted=True)
            case Load(checkpoint=number):
                now = Moment(lineage=saved[number].lineage, history=saved[number].history, exact=False, restarted=True)
            case StartOver():
                now = Moment()
        yield now


def _further(now: Moment, events: Lineage) -> Moment:
    history = (*now.history, *events)
    return Moment(lineage=(*now.lineage, *events), history=history, exact=now.exact, restarted=now.restarted)


def _with_history(now: Moment, history: Program) -> Moment:
    return Moment(lineage=now.lineage, history=history, exact=now.exact, restarted=now.restarted)


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
