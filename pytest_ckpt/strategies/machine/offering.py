"""What can happen next to a run: what Hypothesis chooses from, the usual first, and shrinks towards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hypothesis import strategies as st

from pytest_ckpt.strategies.machine.events import (
    Change,
    Evaluate,
    Event,
    Load,
    Moment,
    Overwrite,
    Program,
    Restart,
    Save,
    StartOver,
    Train,
    further,
    moments,
    saved_moments,
    steps_in,
)
from pytest_ckpt.strategies.machine.verdicts import Court

__all__ = ["next_events"]

_MOST_STEPS_AT_ONCE = 4
_AT_MOST_IN_A_ROW = 2
_OFTEN: Mapping[type[Event], int] = {
    Train: 3,
    Save: 3,
    Restart: 3,
    Evaluate: 2,
    Overwrite: 2,
    Load: 1,
    Change: 3,
    StartOver: 1,
}
_USUALLY_NEXT: Mapping[type[Event], tuple[type[Event], ...]] = {
    Train: (Save,),
    Evaluate: (Train,),
    Change: (Save, Train),
    Save: (Restart,),
    Overwrite: (Restart,),
    Restart: (Evaluate, Train),
    Load: (Train,),
    StartOver: (Train,),
}


def next_events(court: Court, changes: Sequence[str], program: Program) -> st.SearchStrategy[Event]:
    """Return a strategy for what happens after a program.

    Left out is what would show nothing, such as an evaluation of a run that has not moved. The first choice is what
    usually comes next, train, save, restart: Hypothesis begins with first choices, and fills up with them.
    """
    possible = dict(_possible(court, changes, program))
    if not possible:
        return st.nothing()
    usually = _USUALLY_NEXT[type(program[-1])] if program else (Train,)
    if program.count(Save()) > 1 and isinstance(program[-1], Train):
        usually = (Overwrite, *usually)
    if Save() in program and not any(isinstance(event, Change) for event in program):
        usually = (Change, *usually)  # possible after a training step alone
    first = [kind for kind in usually if kind in possible]
    rest = [kind for kind, often in _OFTEN.items() if kind in possible for _ in range(often)]
    return st.sampled_from(first + rest).flatmap(lambda kind: possible[kind])


def _possible(
    court: Court, changes: Sequence[str], program: Program
) -> Iterator[tuple[type[Event], st.SearchStrategy[Event]]]:
    now = list(moments(program))[-1] if program else Moment()
    last, saved, at = program[-1] if program else None, saved_moments(program), court.plan.at
    steps = steps_in(now.lineage)
    # A run that has trained past the last save has nothing to go back to.
    if left := (court.plan.steps if saved else at[-1]) - steps:
        yield Train, st.builds(Train, steps=st.integers(1, min(left, _MOST_STEPS_AT_ONCE)))
    if steps in at and not _repeats(program, Save):
        yield Save, st.just(Save())
        older = [number for number, moment in enumerate(saved) if further(now, moment)]
        if older and now.exact:
            yield Overwrite, _latest(older).map(lambda number: Overwrite(checkpoint=number))
    if saved and not _repeats(program, Restart):
        yield Restart, _latest(range(len(saved))).map(lambda number: Restart(checkpoint=number))
    if saved and not _repeats(program, Load):
        yield Load, _latest(range(len(saved))).map(lambda number: Load(checkpoint=number))
    if now.exact and isinstance(last, Train | Restart) and court.trial.definition.predict is not None:
        yield Evaluate, st.just(Evaluate())
    if isinstance(last, Train) and (possible := court.possible(changes)):
        yield Change, st.sampled_from(possible).map(lambda name: Change(name=name))
    if saved and not isinstance(last, StartOver):
        yield StartOver, st.just(StartOver())


def _latest(numbers: Sequence[int]) -> st.SearchStrategy[int]:
    """Return a strategy for one of some checkpoints; the latest is the simplest."""
    return st.sampled_from(numbers[::-1])


def _repeats(program: Program, kind: type[Event]) -> bool:
    last = program[-_AT_MOST_IN_A_ROW:]
    return len(last) == _AT_MOST_IN_A_ROW and all(type(event) is kind for event in last)
