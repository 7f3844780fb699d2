"""Processes: what a process that has never seen the run makes of its checkpoint."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.checks.judging import outcome
from pytest_ckpt.checks.losses import hard, lost_state
from pytest_ckpt.checks.newness import Afresh, parts
from pytest_ckpt.checks.outcome import Outcome
from pytest_ckpt.checks.registry import check
from pytest_ckpt.fresh_predictions import FreshPrediction
from pytest_ckpt.trips import Trip, count_of_steps

_SHOWN = 6
_BY_HASH_ADVICE = (
    "Sort what comes out of a set before it is used, and take hashlib or zlib.crc32() instead of hash(); or save what "
    "was made of it, such as the vocabulary, and restore it in load."
)
_OUTSIDE_ADVICE = "Let save write everything below the path it is given, and load read it from there."
_RELATIVE_ADVICE = "Note in the checkpoint where its files are from its own place, not from the working directory."
_LOAD_ADVICE = (
    "Let the file hold all of it: what load takes from a variable of the module or the class, from a cache, or from "
    "a name such as __main__.Model, is there in the process that has saved and in no other."
)
_RESUME_ADVICE = (
    "Save what training keeps outside the run and restore it in load: a variable of a module or a class, a cache, an "
    "environment variable. Where parameters are listed, list them in a fixed order: sorted(names), not a set."
)


@check("processes")
def check_loads_in_a_fresh_process(evidence: Evidence) -> Outcome:
    """The checkpoint loads in a process that has never seen the run, and gives the same state there.

    What a load finds in the memory of the process that has saved, in a variable of a module, a cache or a class
    that was made in passing, is gone where checkpoints are needed: in the next process. So is a file that save
    writes elsewhere than where it was told to.

    What to do: Write everything into the checkpoint, and read it from nowhere else.
    """
    name = "loads_in_a_fresh_process"
    seen = evidence.afresh
    if seen.nothing:
        return outcome(evidence, name, status="skipped", summary=seen.nothing)
    if seen.prediction is not None and seen.prediction.mismatches:
        return _predicts_otherwise(evidence, name, seen.prediction)
    if seen.found is None or not _is_lost(evidence, seen):
        return outcome(evidence, name, status="pass", notes=seen.notes)
    if seen.undecided and not evidence.nondeterministic:
        return _undecided(evidence, name, seen)
    trip, lost = seen.found.trip, lost_state(seen.found.trip, evidence.unstable_paths)
    steps = count_of_steps(trip.at)
    return outcome(
        evidence,
        name,
        status="fail",
        summary=(
            f"A checkpoint saved after {steps} cannot be used in a new process: {trip.failure}"
            if trip.failure is not None
            else f"Loaded in a new process, a checkpoint saved after {steps} gives another state than in this one."
        ),
        mismatches=lost,
        causes=tuple(dict.fromkeys(evidence.component_of(m.path) for m in lost)),
        details=tuple(_details(seen, trip)),
        advice=_advice(seen, _LOAD_ADVICE),
    )


def _predicts_otherwise(evidence: Evidence, name: str, found: FreshPrediction) -> Outcome:
    steps = count_of_steps(found.at)
    return outcome(
        evidence,
        name,
        status="fail",
        summary=f"Loaded in a new process, a checkpoint saved after {steps} has the same state and predicts otherwise.",
        mismatches=found.mismatches,
        words=("this process", "new process"),
        details=(_EACH_HASH_SEED,) if found.by_hash else (),
        advice=_BY_HASH_ADVICE if found.by_hash else _LOAD_ADVICE,
    )


_EACH_HASH_SEED = "It predicts otherwise under each hash seed, which is another one in every process."


def _is_lost(evidence: Evidence, seen: Afresh) -> bool:
    assert seen.found is not None
    trip = seen.found.trip
    return bool(seen.relative) or trip.failure is not None or bool(lost_state(trip, evidence.unstable_paths))


def _details(seen: Afresh, trip: Trip) -> Iterator[str]:
    if trip.failure is not None:
        yield from trip.failure.where
    if seen.outside:
        yield f"In this process it is right. It needs what save(path) writes elsewhere: {_list(seen.outside)}."
    elif seen.relative:
        yield f"In this working directory it is right: it looks for its file {seen.relative!r} there."
    else:
        yield "In this process it is right."
    if seen.found is not None and seen.found.printed and trip.failure is not None:
        yield "The new process printed:"
        yield from (f"    {line}" for line in seen.found.printed)


def _list(files: tuple[str, ...]) -> str:
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return ", ".join(files[:_SHOWN]) + more


def _advice(seen: Afresh, otherwise: str) -> str:
    return _OUTSIDE_ADVICE if seen.outside else _RELATIVE_ADVICE if seen.relative else otherwise


def _undecided(evidence: Evidence, name: str, seen: Afresh) -> Outcome:
    first = seen.unstable[:_SHOWN]
    return outcome(
        evidence,
        name,
        status="undecidable",
        summary=seen.undecided,
        mismatches=first,
        words=("this process", "new process"),
        causes=tuple(mismatch.path for mismatch in first),
        advice=_BY_HASH_ADVICE if "hash" in seen.undecided else "",
    )


@check("processes")
def check_resume_in_a_fresh_process(evidence: Evidence) -> Outcome:
    """A run that is resumed in a new process repeats the run that never stopped, to the end.

    What training depends on may live outside the run: in a variable of a module, a cache, an environment variable,
    or in the order of a set of strings, which is another one in each process. All of that is still there when a
    checkpoint is loaded in the process that has saved it.

    What to do: Save and restore it, or compute it anew from what is restored; list parameters in a fixed order.
    """
    name = "resume_in_a_fresh_process"
    if not evidence.plan.steps:
        return outcome(evidence, name, status="skipped", summary="The run has no step=, so it cannot train on.")
    seen = evidence.afresh
    if seen.nothing:
        return outcome(evidence, name, status="skipped", summary=seen.nothing)
    if seen.undecided:
        return _undecided(evidence, name, seen)
    if seen.found is not None and _is_lost(evidence, seen):
        summary = "The checkpoint is not loaded completely there: see loads_in_a_fresh_process."
        return outcome(evidence, name, status="skipped", summary=summary)
    if seen.found is not None and parts(seen.found.trip):
        return _parted(evidence, name, seen, seen.found.trip)
    if not evidence.training_moves:
        return outcome(evidence, name, status="vacuous", summary="Nothing changed during training.")
    return outcome(evidence, name, status="pass")


def _parted(evidence: Evidence, name: str, seen: Afresh, trip: Trip) -> Outcome:
    where = trip.divergence.mismatches if trip.divergence is not None else hard(trip.end)
    steps = count_of_steps(trip.at)
    how = f"they part at step({trip.divergence.step})" if trip.divergence is not None else "they end in other states"
    return outcome(
        evidence,
        name,
        status="fail",
        summary=f"Resumed in a new process, the run is another one: saved after {steps}, {how}.",
        mismatches=where,
        words=("uninterrupted", "resumed"),
        causes=tuple(mismatch.path for mismatch in seen.hidden[:_SHOWN]),
        details=(_SAME_HERE, *_hidden(seen), *(_details(seen, trip) if seen.outside else ())),
        advice=_advice(seen, _RESUME_ADVICE),
    )


def _hidden(seen: Afresh) -> Iterator[str]:
    """Say what differs after loading; of what is kept by the path of a checkpoint, only where it is kept."""
    folder = f"{tempfile.gettempdir()}{os.sep}ckpt-"
    by_path = [m for m in seen.hidden if folder in m.path or folder in m.expected]
    if seen.hidden:
        yield "Differs after loading:"
    for mismatch in [m for m in seen.hidden if m not in by_path][:_SHOWN]:
        yield f"    {mismatch.path}: {mismatch.expected} in this process, {mismatch.actual} in the new one"
    for path in dict.fromkeys(m.path.partition(folder)[0].partition(".order[")[0].rstrip("./[\"'") for m in by_path):
        yield f"    {path}: knows checkpoints by their paths in this process, and not in the new one"


_SAME_HERE = "Every component is loaded as it was saved, and resumed in this process the run is the same."
