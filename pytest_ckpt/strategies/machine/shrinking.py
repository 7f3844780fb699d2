"""The last steps to the shortest program: what Hypothesis, which knows nothing of events, leaves undone."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_ckpt.strategies.machine.events import (
    Event,
    Load,
    Overwrite,
    Program,
    Restart,
    Save,
    Train,
    moments,
    steps_in,
)
from pytest_ckpt.strategies.machine.finding import Finding
from pytest_ckpt.strategies.machine.verdicts import Court

__all__ = ["shorten"]


def shorten(court: Court, program: Program) -> Program:
    """Leave out and simplify events one after the other for as long as the program still loses something."""
    candidates = _simpler(program)
    while (candidate := next(candidates, None)) is not None:
        if _can_happen(court, candidate) and (finding := _proven(court, candidate)) is not None:
            program = candidate[: finding.position + 1]
            candidates = _simpler(program)
    return program


def _proven(court: Court, program: Program) -> Finding | None:
    """Judge a program in full, where it is worth the time."""
    finding = court.judge(program)
    return None if finding is None else court.settle(program[: finding.position + 1])


def _simpler(program: Program) -> Iterator[Program]:
    for place in range(len(program)):
        yield _without(program, place)
    for place, event in enumerate(program):
        before, after = program[:place], program[place + 1 :]
        match event, after[:1]:
            case Train(steps=one), (Train(steps=other),):
                yield (*before, Train(steps=one + other), *after[1:])
        if isinstance(event, Train) and event.steps > 1:
            yield (*before, Train(steps=event.steps - 1), *after)


def _without(program: Program, place: int) -> Program:
    """Leave an event out; with a save, whatever goes back to it."""
    gone = program[:place].count(Save()) if program[place] == Save() else None
    rest = program[:place] + program[place + 1 :]
    return rest if gone is None else tuple(_renumbered(rest, gone))


def _renumbered(program: Program, gone: int) -> Iterator[Event]:
    for event in program:
        if not isinstance(event, Restart | Load | Overwrite) or event.checkpoint < gone:
            yield event
        elif event.checkpoint > gone:
            yield type(event)(checkpoint=event.checkpoint - 1)


def _can_happen(court: Court, program: Program) -> bool:
    steps = [steps_in(moment.lineage) for moment in moments(program)]
    saved_at = {count for count, event in zip(steps, program, strict=True) if isinstance(event, Save | Overwrite)}
    return max(steps, default=0) <= court.plan.steps and saved_at <= set(court.plan.at)
