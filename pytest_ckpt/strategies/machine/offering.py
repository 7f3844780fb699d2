"""What can happen next to a run: what Hypothesis chooses from, the simplest first, and shrinks towards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hypothesis import strategies as st

from pytest_ckpt.strategies.machine.events import (
    Change,
    Evaluate,
    Event,
    Load,
    Program,
    Restart,
    Save,
    StartOver,
    Train,
    moments,
    steps_in,
)
from pytest_ckpt.strategies.machine.verdicts import Court

__all__ = ["next_events"]

_MOST_STEPS_AT_ONCE = 4
_AT_MOST_IN_A_ROW = 2


def next_events(court: Court, changes: Sequence[str], program: Program) -> st.SearchStrategy[Event]:
    """Return a strategy for what happens after a program.

    Left out is what would show nothing, such as an evaluation of a run that has not moved. The places in the list do
    not depend on what came before: an example stays the same when an event before it is left out.
    """
    steps = steps_in(list(moments(program))[-1].lineage) if program else 0
    offered: dict[type[Event], st.SearchStrategy[Event] | None] = {
        Train: _trains(court.plan.steps - steps),
        Save: st.just(Save()) if steps in court.plan.at and not _repeats(program, Save) else None,
        Restart: _goes_back(Restart, program),
        Load: _goes_back(Load, program),
        Evaluate: st.just(Evaluate()) if _moved(program) and court.trial.definition.predict is not None else None,
        Change: _changes(court, changes) if _moved(program) else None,
        StartOver: st.just(StartOver()) if Save() in program and program[-1] != StartOver() else None,
    }
    usual = [kind for kind, often in _OFTEN.items() for _ in range(often)]
    possible = {kind: strategy for kind, strategy in offered.items() if strategy is not None}
    return st.sampled_from(usual).filter(lambda kind: kind in possible).flatmap(lambda kind: possible[kind])


_OFTEN: Mapping[type[Event], int] = {Train: 3, Save: 3, Restart: 3, Load: 1, Evaluate: 1, Change: 1, StartOver: 1}


def _trains(left: int) -> st.SearchStrategy[Event] | None:
    return st.builds(Train, steps=st.integers(1, min(left, _MOST_STEPS_AT_ONCE))) if left > 0 else None


def _goes_back(kind: Callable[..., Restart] | Callable[..., Load], program: Program) -> st.SearchStrategy[Event] | None:
    saves = program.count(Save())
    if not saves or _repeats(program, kind):
        return None
    # The latest is the simplest.
    return st.integers(0, saves - 1).map(lambda age: kind(checkpoint=saves - 1 - age))


def _changes(court: Court, changes: Sequence[str]) -> st.SearchStrategy[Event] | None:
    possible = [name for name in changes if name in court.possible_changes]
    return st.sampled_from(possible).map(lambda name: Change(name=name)) if possible else None


def _moved(program: Program) -> bool:
    return bool(program) and isinstance(program[-1], Train)


def _repeats(program: Program, kind: object) -> bool:
    last = program[-_AT_MOST_IN_A_ROW:]
    return len(last) == _AT_MOST_IN_A_ROW and all(type(event) is kind for event in last)
