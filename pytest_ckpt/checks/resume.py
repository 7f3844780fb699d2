"""Resume: a run that was stopped and started again is the run that never stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_ckpt.checks import inquiry
from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.checks.judging import in_line, in_words, not_reached, outcome
from pytest_ckpt.checks.losses import concerns_schedule, hard, is_hard
from pytest_ckpt.checks.outcome import Outcome
from pytest_ckpt.checks.registry import check
from pytest_ckpt.diagnosis import Blame, Needs, advise
from pytest_ckpt.trips import Trip, count_of_steps

_NAME = "resume_is_exact"
_SHOWN = 6


@check("resume")
def check_resume_is_exact(evidence: Evidence) -> Outcome:
    """A resumed run repeats the results, learning rates and final state of the run that never stopped.

    A state dict can be complete and the run still differ: data order, dropout masks, counters and
    schedules live outside it. Every step to save after is tried, and a difference is only held against
    the checkpoint when the uninterrupted run repeats itself.

    What to do: Save and restore what the report says is to blame: a component, a random state, a counter, a
    position in the data. Where training is not deterministic, seed what the program draws from.
    """
    if not evidence.plan.steps:
        return outcome(evidence, _NAME, status="skipped", summary="The run has no step=, so it cannot train on.")
    if evidence.interruption.failure is not None:
        return not_reached(evidence, _NAME, evidence.interruption.failure)
    for trip in evidence.trips:
        if trip.failure is not None or not _parts(trip):
            continue
        if evidence.nondeterministic:
            return _undecidable(evidence)
        settled = evidence.settle(trip.at)
        if settled.failure is None and _parts(settled) and not evidence.only_saving_differs(trip.at):
            return _parted(evidence, settled)
    failures = [trip for trip in evidence.trips if trip.failure is not None]
    if failures:
        return outcome(evidence, _NAME, status="skipped", summary=f"{failures[0].failure}.")
    if not evidence.training_moves:
        summary = "Nothing changed during training: neither a result of step() nor any component's state."
        return outcome(evidence, _NAME, status="vacuous", summary=summary)
    return outcome(evidence, _NAME, status="pass", notes=tuple(_notes(evidence.needs, evidence.plan.steps)))


def _notes(needs: Needs, steps: int) -> Iterator[str]:
    left = count_of_steps(steps - needs.at)
    if idle := [need.component for need in needs.components if need.verdict == "not needed"]:
        yield f"The {left} after a resume at step {needs.at} are the same without {_shown(idle)}."
    if needs.hidden:
        yield f"Not restored, and the {left} after a resume at step {needs.at} are the same: {_shown(needs.hidden)}."
    if needs.cut:
        yield f"{needs.cut} objects were not looked at."


def _shown(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more


@check("resume")
def check_second_resume_is_exact(evidence: Evidence) -> Outcome:
    """A run that is resumed, saved and resumed again is still the run that never stopped.

    A load that leaves the run right and its bookkeeping wrong, such as a position counted from the start
    of the process or an epoch that is added at every load, shows only at the second resume.

    What to do: Let save write what load reads: the run's whole count, not that of this process.
    """
    name = "second_resume_is_exact"
    if not evidence.plan.steps:
        return outcome(evidence, name, status="skipped", summary="The run has no step=, so it cannot train on.")
    trips = evidence.trips
    if evidence.interruption.failure is not None or any(t.failure is not None or _parts(t) for t in trips):
        return outcome(evidence, name, status="skipped", summary="The first resume does not repeat the run already.")
    trip = evidence.second_resume
    if trip.failure is not None:
        if evidence.interruption.notes:
            return not_reached(evidence, name, trip.failure)
        summary = f"A resumed run cannot be saved and resumed again: {trip.failure}"
        return outcome(evidence, name, status="fail", summary=summary, details=trip.failure.where)
    if _parts(trip) and not evidence.nondeterministic:
        return _parted_again(evidence, name, trip)
    return outcome(evidence, name, status="pass" if evidence.training_moves else "vacuous", summary=_still(evidence))


def _still(evidence: Evidence) -> str:
    return "" if evidence.training_moves else "Nothing changed during training."


def _parted_again(evidence: Evidence, name: str, trip: Trip) -> Outcome:
    where = trip.divergence.mismatches if trip.divergence is not None else hard(trip.end)
    found = inquiry.second_resume(evidence)
    details = ["Differs after the second load:", *(f"    {in_line(mismatch)}" for mismatch in found[:_SHOWN])]
    return outcome(
        evidence,
        name,
        status="fail",
        summary=f"The first resume is exact, the second, saved after {count_of_steps(trip.at)}, is not.",
        mismatches=where,
        words=("uninterrupted", "resumed twice"),
        causes=tuple(mismatch.path for mismatch in found),
        details=tuple(details) if found else (),
        advice="Let save write what load reads: the run's whole count, not that of this process.",
    )


def _parts(trip: Trip) -> bool:
    return trip.divergence is not None or any(is_hard(mismatch) for mismatch in trip.end)


def _undecidable(evidence: Evidence) -> Outcome:
    first = evidence.unstable[:_SHOWN]
    return outcome(
        evidence,
        _NAME,
        status="undecidable",
        summary="Training is not deterministic: two runs that never stopped differ already.",
        mismatches=first,
        words=("first run", "second run"),
        causes=tuple(mismatch.path for mismatch in first),
        advice="Seed what the program draws from, or compare what it does repeat.",
    )


def _parted(evidence: Evidence, trip: Trip) -> Outcome:
    blame = inquiry.blame(evidence, trip.at)
    where = trip.divergence.mismatches if trip.divergence is not None else hard(trip.end)
    others = [t.at for t in evidence.trips if t.at != trip.at and t.failure is None and _parts(t)]
    details = _blame_details(blame)
    if others:
        details.append(f"The same when saved after {in_words(others)}.")
    found = (*where, *blame.evidence, *blame.suspects)
    order = inquiry.wrong_order(evidence, trip.at) if concerns_schedule(found) else None
    if order is not None:
        details.append(order.what)
    # What is one object, or was, first: no value that is put back by hand can mend that.
    seen = tuple(m.path for m in sorted(blame.suspects, key=lambda m: m.kind != "sharing"))
    causes = blame.culprits or seen or tuple(path for path, _ in blame.sealed)
    return outcome(
        evidence,
        _NAME,
        status="fail",
        summary=_summary(trip),
        mismatches=where,
        words=("uninterrupted", "resumed"),
        causes=causes,
        details=tuple(details),
        advice=order.remedy
        if order
        else advise(causes[:5], blame.evidence or blame.suspects, evidence.kinds, evidence.declared),
    )


def _summary(trip: Trip) -> str:
    steps = count_of_steps(trip.at)
    if trip.divergence is None:
        return f"The resumed run ends in another state than the run that never stopped, saved after {steps}."
    return (
        f"The resumed run is not the run that never stopped: saved after {steps}, "
        f"they part at step({trip.divergence.step})."
    )


def _blame_details(blame: Blame) -> list[str]:
    details = []
    if blame.culprits:
        them = "it" if len(blame.culprits) == 1 else "them"
        details.append(f"To blame: {', '.join(blame.culprits)} (restoring {them} alone makes the runs agree).")
        details += [f"    {in_line(mismatch)}" for mismatch in blame.evidence[:_SHOWN]]
        if blame.suspects:
            details.append("Differs after loading, too:")
            details += [f"    {in_line(mismatch)}" for mismatch in blame.suspects[:_SHOWN]]
    elif blame.suspects:
        details.append("Differs after loading, though restoring it by hand did not make the runs agree:")
        details += [f"    {in_line(mismatch)}" for mismatch in blame.suspects[: 2 * _SHOWN]]
    elif blame.stopped:
        details.append(f"The search for the cause stopped: {blame.stopped}")
    else:
        details.append("No state that can be seen differs after loading.")
    if blame.sealed:
        things = [f"{path} (a {kind})" for path, kind in blame.sealed]
        details.append(f"May hold what was lost, and cannot be looked into: {_shown(things)}.")
    if blame.cut:
        details.append(f"{blame.cut} objects were not looked at.")
    return details
