"""Side effects of what was there before: in the run that loads, and at the path that is saved to."""

from __future__ import annotations

from pytest_ckpt.checks import inquiry
from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.checks.judging import in_line, not_reached, outcome
from pytest_ckpt.checks.losses import hard, lost_state
from pytest_ckpt.checks.outcome import Outcome
from pytest_ckpt.checks.registry import check
from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.overwriting import SavedOver
from pytest_ckpt.trips import Trip, count_of_steps

_SHOWN = 6


@check("side_effects")
def check_loading_overwrites_everything(evidence: Evidence) -> Outcome:
    """A checkpoint that is loaded into a run that has trained gives the state it gives a fresh run.

    A load that fills only what is missing, adds to a list or keeps what the file does not mention works at
    the start of a process; going back to the best weights, or on after a bad step, it mixes two runs.

    What to do: Let load replace the whole state: clear what it fills, and reset what the file does not mention.
    """
    name = "loading_overwrites_everything"
    if not evidence.plan.steps:
        return outcome(evidence, name, status="skipped", summary="The run has no step=, so it cannot train on.")
    found = evidence.loaded_over
    if found.failure is not None:
        return not_reached(evidence, name, found.failure)
    if found.refusal is not None:
        return outcome(evidence, name, status="skipped", summary=f"A run that has trained refuses: {found.refusal}.")
    if any(lost_state(trip) for trip in evidence.interruption.trips):
        return outcome(evidence, name, status="skipped", summary="A fresh run does not get its whole state back.")
    if lost := evidence.lost(found.state):
        return outcome(
            evidence,
            name,
            status="fail",
            summary="Loaded into a run that has trained, the checkpoint gives another state than in a fresh run.",
            mismatches=lost,
            words=("fresh run", "trained run"),
            causes=tuple(dict.fromkeys(evidence.component_of(m.path) for m in lost)),
            advice="Let load replace the whole state: clear what it fills, and reset what the file does not mention.",
        )
    if found.parts_at is None or any(trip.divergence is not None for trip in evidence.trips) or evidence.unstable:
        return outcome(evidence, name, status="pass")
    return outcome(evidence, name, status="pass", notes=(_NOT_ALL.format(found.parts_at),))


# A load that is only called at the start of a process need not wind back iterators and caches.
_NOT_ALL = (
    "Loaded into a run that has trained, the components are as in a fresh run, but step({}) goes another way: call "
    "load in a fresh run only, or let it reset what no component holds."
)


@check("side_effects")
def check_saving_again_replaces_the_checkpoint(evidence: Evidence) -> Outcome:
    """A checkpoint that is saved over an earlier one of its run resumes as the later one.

    A file that is appended to, or parts of the earlier checkpoint that stay behind in its folder: each save
    into an empty folder is right, and the one file that is written again and again is not.

    What to do: Write whole files, and remove what an earlier save has left at the path.
    """
    name = "saving_again_replaces_the_checkpoint"
    found = evidence.saved_over
    if found is None:
        return outcome(evidence, name, status="skipped", summary="Only one checkpoint is saved.")
    if found.failure is not None:
        return not_reached(evidence, name, found.failure)
    if not _is_spoiled(found.trip):
        return outcome(evidence, name, status="pass")
    if found.untouched:
        return outcome(evidence, name, status="skipped", summary="A second save to the same path writes nothing.")
    if found.emptied:
        return outcome(evidence, name, status="skipped", summary=_EMPTIED)
    if evidence.nondeterministic:
        summary = "Training is not deterministic: two runs that never stopped differ already."
        return outcome(evidence, name, status="undecidable", summary=summary, mismatches=evidence.unstable[:6])
    if _is_spoiled(evidence.settle(found.steps[1])):
        return outcome(evidence, name, status="skipped", summary="Saved only once, the checkpoint is not right either.")
    found, differences = inquiry.saved_over(evidence)
    if not _is_spoiled(found.trip):
        return outcome(evidence, name, status="pass")
    return _mixed(evidence, name, found, differences)


_EMPTIED = (
    "After a second save to the same path nothing is there: the program deletes its earlier checkpoints, of which this "
    "was one. Let every save have a path of its own."
)


def _is_spoiled(trip: Trip) -> bool:
    return trip.failure is not None or trip.divergence is not None or bool(lost_state(trip) or hard(trip.end))


def _mixed(evidence: Evidence, name: str, found: SavedOver, differences: tuple[Mismatch, ...]) -> Outcome:
    (first, second), trip = found.steps, found.trip
    what = "does not resume exactly" if trip.failure is None else f"cannot be used: {trip.failure}"
    over = f"over the checkpoint saved after {count_of_steps(first)}"
    details = ["Differs after loading:", *(f"    {in_line(mismatch)}" for mismatch in differences[:_SHOWN])]
    return outcome(
        evidence,
        name,
        status="fail",
        summary=f"Saved after {count_of_steps(second)} {over}, it {what}.",
        mismatches=trip.divergence.mismatches if trip.divergence is not None else lost_state(trip) or hard(trip.end),
        words=("uninterrupted", "resumed"),
        causes=tuple(mismatch.path for mismatch in differences),
        details=tuple(details) if differences else () if trip.failure is None else trip.failure.where,
        advice="Write whole files, and remove what an earlier save has left at the path.",
    )
