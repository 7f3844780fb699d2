"""What became of checkpoints in new processes, and whose fault it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from pytest_ckpt.checks.losses import concerns_training, hard, lost_state
from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.fresh_party import Party
from pytest_ckpt.fresh_pictures import differs_there
from pytest_ckpt.fresh_predictions import FreshPrediction, predict_afresh
from pytest_ckpt.fresh_resume import (
    Asked,
    FreshTrip,
    ask_carefully,
    ask_quickly,
    ask_within,
    train_afresh,
)
from pytest_ckpt.launchers import Package, Surroundings, as_plain_data, is_fresh
from pytest_ckpt.spine import first_divergence
from pytest_ckpt.trips import CallFailed, Trajectory, Trip

if TYPE_CHECKING:
    from pytest_ckpt.checks.evidence import Evidence

__all__ = ["Afresh", "Luggage", "look_afresh", "parts"]

Luggage: TypeAlias = tuple[Package, Surroundings]
_A_THIRD_HASH_SEED = "103"


@dataclass(frozen=True, kw_only=True, slots=True)
class Afresh:
    """What became of checkpoints in new processes.

    Attributes:
        found: The first that was not right there; ``None`` if all are.
        nothing: Why nothing was tried; empty if something was.
        undecided: Why it is not the checkpoint's fault; empty if it is.
        unstable: How two runs that never stopped differ, in two processes.
        outside: The files that save wrote elsewhere and without which the checkpoint is not right.
        relative: The file of the checkpoint that was looked for in the working directory.
        prediction: How a checkpoint predicts there; ``None`` where that was not tried.
        hidden: How the run differs there after loading, but for the state of its components.
        notes: What is worth knowing and no failure.
    """

    found: FreshTrip | None = None
    nothing: str = ""
    undecided: str = ""
    unstable: tuple[Mismatch, ...] = ()
    outside: tuple[str, ...] = ()
    relative: str = ""
    prediction: FreshPrediction | None = None
    hidden: tuple[Mismatch, ...] = ()
    notes: tuple[str, ...] = ()


def parts(trip: Trip) -> bool:
    """Whether the training after a load went another way, or ended elsewhere."""
    return trip.divergence is not None or bool(hard(trip.end))


def _is_wrong(trip: Trip, unstable: Sequence[str] = ()) -> bool:
    return trip.failure is not None or parts(trip) or bool(lost_state(trip, unstable))


def look_afresh(evidence: Evidence) -> Afresh:
    """Load the last and the middle checkpoint in new processes; where one is not right, find out whose fault it is."""
    if isinstance(evidence.luggage, str):
        return Afresh(nothing=evidence.luggage)
    if is_fresh():
        return Afresh(nothing="This process is itself one that was started for a check.")
    if (failure := evidence.interruption.failure) is not None:
        return Afresh(nothing=f"{str(failure).splitlines()[0].rstrip('.')}.")
    if any(_is_wrong(t) and _is_wrong(evidence.settle(t.at), evidence.unstable_paths) for t in evidence.trips):
        return Afresh(nothing="The checkpoint is not right in this process either.")
    package, around = evidence.luggage
    party = Party(plan=evidence.plan, package=package, around=around)
    points = evidence.plan.at
    try:
        quick = ask_quickly(party, sorted({points[len(points) // 2], points[-1]}))
        wrong = next((found for found in quick.trips if _is_wrong(found.trip)), None)
        seen = Afresh(nothing=quick.nothing, notes=_notes(quick)) if wrong is None else _settle(evidence, party, wrong)
        return seen if seen.nothing else replace(seen, prediction=_prediction(evidence, party, seen))
    except CallFailed as failure:
        return Afresh(nothing=f"{str(failure).splitlines()[0].rstrip('.')}.")


def _prediction(evidence: Evidence, party: Party, seen: Afresh) -> FreshPrediction | None:
    """Predict in new processes too, where that is right in this one and the state is right in all of them."""
    here = evidence.predictions
    if here is None or here.failure is not None or here.restored or here.unstable:
        return None
    if seen.found is not None and (seen.found.trip.failure is not None or lost_state(seen.found.trip)):
        return None
    return predict_afresh(party, evidence.plan.at[-1])


def _notes(asked: Asked) -> tuple[str, ...]:
    return (_SLOW,) if asked.slow else ()


_SLOW = (
    "Each new process was a new interpreter, which takes seconds: this platform cannot fork one that has torch loaded."
)


def _settle(evidence: Evidence, party: Party, wrong: FreshTrip) -> Afresh:
    trained = train_afresh(party)
    if isinstance(trained, str):
        return Afresh(nothing=f"In a new process the run cannot be made and trained, with no checkpoint: {trained}")
    reference = as_plain_data(evidence.reference)
    unstable = _differences(reference, trained)
    paths = (*(m.path for m in unstable), *evidence.unstable_paths)
    asked = ask_carefully(party, wrong.trip.at, paths)
    if asked.nothing:
        return Afresh(nothing=asked.nothing)
    found = asked.trips[0]
    if evidence.nondeterministic:
        return Afresh(found=found, undecided=_NOT_DETERMINISTIC, unstable=evidence.unstable)
    if concerns_training(unstable, reference.end):
        return _undecided(party, found, trained, unstable)
    if not _is_wrong(found.trip, paths):
        return _depends_on_the_folder(wrong)
    with_them = asked.with_them
    outside = asked.outside if with_them is not None and not _is_wrong(with_them.trip, paths) else ()
    return Afresh(found=found, outside=outside, hidden=_hidden(evidence, party, found.trip))


def _hidden(evidence: Evidence, party: Party, trip: Trip) -> tuple[Mismatch, ...]:
    if not evidence.explain or trip.failure is not None or lost_state(trip):
        return ()
    with suppress(Exception):  # The finding stands without its cause.
        return differs_there(party, trip.at)
    return ()


def _differences(one: Trajectory, other: Trajectory) -> tuple[Mismatch, ...]:
    """Return how two runs that never stopped differ."""
    divergence = first_divergence(one, other)
    found = {} if divergence is None else {m.path: m for m in divergence.mismatches}
    return tuple((found | {m.path: m for m in compare(one.end.state, other.end.state, traits=False)}).values())


def _depends_on_the_folder(wrong: FreshTrip) -> Afresh:
    """Judge a checkpoint that is right in this working directory and may not have been so in an empty one."""
    if not wrong.missing or os.path.isabs(wrong.missing):
        return Afresh()
    if wrong.in_checkpoint:
        return Afresh(found=wrong, relative=wrong.missing)
    return Afresh(notes=(f"It can only be resumed in a working directory that has {wrong.missing!r}.",))


_NOT_DETERMINISTIC = "Training is not deterministic: two runs that never stopped differ already."
_BY_PROCESS = "Training is not deterministic: two runs that never stopped differ in two new processes that are alike."
_BY_HASH = (
    "Training depends on the hash seed of the process (the order of a set of strings, hash()): two runs that never "
    "stopped differ under two of them."
)
_BY_PAST = (
    "Training depends on what this process has set up before make_run() is called, such as a fixture or a random "
    "state at import: a run that never stopped is another one in a new process."
)


def _undecided(party: Party, found: FreshTrip, trained: Trajectory, unstable: tuple[Mismatch, ...]) -> Afresh:
    """Judge a run that is another one in a new process without any checkpoint, as far as that can be done."""
    again = train_afresh(party)
    if isinstance(again, str) or concerns_training(noise := _differences(trained, again), trained.end):
        return Afresh(found=found, undecided=_BY_PROCESS, unstable=unstable)
    within = ask_within(party, found.trip.at, [m.path for m in noise])
    if within.trips and _is_wrong(within.trips[0].trip, [m.path for m in noise]):
        return Afresh(found=within.trips[0])
    other = train_afresh(party, _A_THIRD_HASH_SEED)
    by_hash = not isinstance(other, str) and concerns_training(_differences(trained, other), trained.end)
    return Afresh(found=found, undecided=_BY_HASH if by_hash else _BY_PAST, unstable=unstable)
