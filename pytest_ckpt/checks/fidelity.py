"""Fidelity: what is loaded is what was saved."""

from __future__ import annotations

from pytest_ckpt.checks import inquiry
from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.checks.extent import mostly_lost, untouched
from pytest_ckpt.checks.judging import in_line, in_words, not_reached, outcome, storage_words
from pytest_ckpt.checks.losses import concerns_schedule, lost_state
from pytest_ckpt.checks.notes import notes_on_state
from pytest_ckpt.checks.outcome import Outcome
from pytest_ckpt.checks.registry import check
from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.diagnosis import advise, advise_on_error
from pytest_ckpt.generations import AFTER_LOADING, Predictions
from pytest_ckpt.trips import Trip, count_of_steps

_SEVERAL = 20


@check("fidelity")
def check_state_is_restored(evidence: Evidence) -> Outcome:
    """Every component's state dict is the same, bit for bit, after a save and a load into a fresh run.

    Parameters, buffers, optimizer state by parameter name, hyper-parameters, schedulers, scalers and any
    other stateful object. Two state dicts that are equal are not enough for an exact resume, but two that
    differ have lost something.

    What to do: Save the ``state_dict()`` of the component that is named and give it to its ``load_state_dict()``
    in load. Where a single tensor is named, look for a key that was renamed or filtered out, a cast, or what
    overwrites it after the load.
    """
    name = "state_is_restored"
    if (failure := evidence.interruption.failure) is not None:
        return outcome(
            evidence,
            name,
            status="fail",
            summary=f"The run cannot be saved: {failure}",
            details=failure.where,
        )
    for trip in sorted(evidence.interruption.trips, key=lambda trip: -_count_of_lost_components(evidence, trip)):
        if trip.failure is None and not lost_state(trip):
            continue
        settled = evidence.settle(trip.at)
        if settled.failure is not None:
            return _raised(evidence, name, settled)
        if lost := lost_state(settled, evidence.unstable_paths):
            return _lost_state(evidence, name, settled, lost)
    last = evidence.interruption.trips[-1]
    if not last.fresh:
        return outcome(evidence, name, status="vacuous", summary=_VACUOUS)
    return outcome(evidence, name, status="pass", notes=notes_on_state(evidence))


_VACUOUS = (
    "Before loading, the fresh run already equalled the saved one, so loading could not show anything. "
    "Give the run a step, or do not seed inside make_run."
)


def _count_of_lost_components(evidence: Evidence, trip: Trip) -> int:
    return len({evidence.component_of(mismatch.path) for mismatch in lost_state(trip)})


def _raised(evidence: Evidence, name: str, trip: Trip) -> Outcome:
    assert trip.failure is not None
    return outcome(
        evidence,
        name,
        status="fail",
        summary=f"A checkpoint saved after {count_of_steps(trip.at)} cannot be used: {trip.failure}",
        details=trip.failure.where,
        advice=advise_on_error(str(trip.failure)),
    )


def _lost_state(evidence: Evidence, name: str, trip: Trip, lost: tuple[Mismatch, ...]) -> Outcome:
    others = [t.at for t in evidence.interruption.trips if t.at != trip.at and lost_state(t)]
    details = [f"State was lost, too, when saved after {in_words(others)}."] if others else []
    gone = mostly_lost(evidence, trip)
    details += untouched(gone)
    order = inquiry.wrong_order(evidence, trip.at) if concerns_schedule(lost) else None
    causes = tuple(dict.fromkeys(evidence.component_of(mismatch.path) for mismatch in lost))
    named = tuple(m.path for m in lost[:1]) if len(lost) < _SEVERAL else causes
    steps = count_of_steps(trip.at)
    return outcome(
        evidence,
        name,
        status="fail",
        summary=f"The state changed in a round trip through {storage_words(evidence)}, saved after {steps}.",
        mismatches=lost,
        causes=causes,
        details=(*details, *([order.what] if order else ())),
        advice=(order.remedy if order else "")
        or inquiry.prefix_advice(evidence, trip.at, causes, gone)
        or advise(named, lost, evidence.kinds, evidence.declared),
        notes=notes_on_state(evidence),
    )


@check("fidelity")
def check_traits_are_restored(evidence: Evidence) -> Outcome:
    """After loading, each parameter has its class and ``requires_grad``, and tied tensors are tied.

    No state dict holds these, so a load that replaces parameters instead of filling them loses them: a
    frozen layer trains, two tied weights part, or the optimizer goes on with parameters that the model no
    longer has. What the training puts right by itself is no loss.

    What to do: Load into the existing parameters (``load_state_dict`` without ``assign=True``), or tie, freeze
    and build the optimizer again after loading.
    """
    name = "traits_are_restored"
    if all(trip.failure is not None for trip in evidence.trips):
        return outcome(evidence, name, status="skipped", summary="No checkpoint could be loaded.")
    for trip in evidence.trips:
        if trip.failure is None and trip.lasting and (lost := evidence.settle(trip.at).lasting):
            return outcome(
                evidence,
                name,
                status="fail",
                summary=f"Loading a checkpoint saved after {count_of_steps(trip.at)} changed what the tensors are.",
                mismatches=lost,
                causes=tuple(mismatch.path for mismatch in lost),
                advice=_TRAIT_ADVICE,
            )
    return outcome(evidence, name, status="pass")


_TRAIT_ADVICE = (
    "Load into the existing parameters (load_state_dict without assign=True), or tie, freeze and build the "
    "optimizer again after loading."
)


@check("fidelity")
def check_outputs_are_restored(evidence: Evidence) -> Outcome:
    """The loaded run predicts, in eval mode, what the saved run predicted.

    Predictions see what state dicts leave out: plain attributes, closures, non-persistent buffers.

    What to do: Put what differs after loading into the checkpoint, or make it a buffer, so that the state dict
    holds it.
    """
    name = "outputs_are_restored"
    found = evidence.predictions
    if found is None:
        return outcome(evidence, name, status="skipped", summary="The run has no predict=.")
    if found.failure is not None and found.failure.stage == AFTER_LOADING:
        steps = count_of_steps(found.at)
        summary = f"The saved run predicts, the loaded one does not, saved after {steps}: {found.failure}"
        return outcome(evidence, name, status="fail", summary=summary, details=found.failure.where)
    if found.failure is not None:
        return not_reached(evidence, name, found.failure)
    if found.unstable:
        summary = "Two predictions of the saved run differ already, in eval mode and under the same seed."
        words = ("first time", "second time")
        return outcome(evidence, name, status="undecidable", summary=summary, mismatches=found.unstable, words=words)
    if found.restored:
        hidden = inquiry.hidden_after_loading(evidence, found.at)
        return outcome(
            evidence,
            name,
            status="fail",
            summary=f"The loaded run predicts something else, saved after {count_of_steps(found.at)}.",
            mismatches=found.restored,
            causes=tuple(mismatch.path for mismatch in hidden),
            details=tuple(f"Differs after loading: {in_line(mismatch)}" for mismatch in hidden[:5]),
            advice=advise((m.path for m in hidden[:3]), hidden, evidence.kinds, evidence.declared),
        )
    if found.later:
        return _later(evidence, name, found)
    if not found.fresh:
        summary = "A fresh run predicts the same before it has loaded anything."
        return outcome(evidence, name, status="vacuous", summary=summary)
    return outcome(evidence, name, status="pass")


def _later(evidence: Evidence, name: str, found: Predictions) -> Outcome:
    hidden = inquiry.hidden_after_loading(evidence, found.at)
    return outcome(
        evidence,
        name,
        status="fail",
        summary=(
            f"Saved after {count_of_steps(found.at)}, the resumed run trains as the run that never stopped, and "
            "predicts something else at the end."
        ),
        mismatches=found.later,
        words=("uninterrupted", "resumed"),
        causes=tuple(mismatch.path for mismatch in hidden),
        details=tuple(f"Differs after loading: {in_line(mismatch)}" for mismatch in hidden[:5]),
        advice=advise((m.path for m in hidden[:3]), hidden, evidence.kinds, evidence.declared),
    )


@check("fidelity")
def check_second_generation_equals_first(evidence: Evidence) -> Outcome:
    """A loaded run, saved again to another and to the same path, loads as the first checkpoint did.

    A save that depends on having trained in this process, or a load that changes what is saved next,
    shows only in the second generation.

    What to do: Make save depend only on the run's state, not on what happened in this process.
    """
    name = "second_generation_equals_first"
    found = evidence.generations
    if found.failure is not None:
        # A run that cannot be saved before its first step need not be saved right after loading either.
        if found.first or evidence.interruption.notes:
            return not_reached(evidence, name, found.failure)
        return outcome(
            evidence,
            name,
            status="fail",
            summary=f"A loaded run cannot be saved and loaded again: {found.failure}",
            details=found.failure.where,
        )
    for place, mismatches in (("another path", found.other_path), ("the same path", found.same_path)):
        if lost := evidence.lost(mismatches):
            return outcome(
                evidence,
                name,
                status="fail",
                summary=f"A loaded run, saved again to {place}, loads differently the second time.",
                mismatches=lost,
                words=("first", "second"),
                causes=tuple(dict.fromkeys(evidence.component_of(m.path) for m in lost)),
                advice="Make save depend only on the run's state, not on what happened in this process.",
            )
    return outcome(evidence, name, status="pass", notes=found.notes)
