"""Side effects: saving and loading change nothing else."""

from __future__ import annotations

import torch

from pytest_ckpt.checks import inquiry
from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.checks.judging import not_reached, outcome
from pytest_ckpt.checks.outcome import Outcome
from pytest_ckpt.checks.registry import check
from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.spine import first_divergence
from pytest_ckpt.trips import Trajectory, Trip, count_of_steps


@check("side_effects")
def check_saving_changes_nothing(evidence: Evidence) -> Outcome:
    """A run that saves on its way trains exactly as one that never saves.

    A save that draws random numbers, leaves eval mode behind, casts or moves the live model, or clears
    gradients makes the training depend on how often it is saved. What a save notes for itself, such as
    the number of saves, may change.

    What to do: Let save read the run and write copies; restore modes, devices, dtypes and random state it
    changes.
    """
    name = "saving_changes_nothing"
    if not evidence.plan.steps:
        return outcome(evidence, name, status="skipped", summary="The run has no step=, so it cannot train on.")
    saving = evidence.interruption.saving
    if saving is None:
        return not_reached(evidence, name, evidence.interruption.failure)
    if not _differences(evidence, saving, ()):
        return outcome(evidence, name, status="pass")
    if evidence.nondeterministic:
        summary = "Training is not deterministic: two runs that never stopped differ already."
        return outcome(
            evidence,
            name,
            status="undecidable",
            summary=summary,
            mismatches=evidence.unstable[:6],
            words=("first run", "second run"),
        )
    found = _differences(evidence, saving, evidence.unstable_paths)
    if not found:
        return outcome(evidence, name, status="pass")
    if _differences(evidence, inquiry.watched_only(evidence), evidence.unstable_paths):
        summary = "Reading the components' state dicts changes the training already, without a save."
        return outcome(evidence, name, status="fail", summary=summary, mismatches=found)
    return _changed(evidence, name, found, saving)


def _differences(evidence: Evidence, other: Trajectory, unstable: tuple[str, ...]) -> tuple[Mismatch, ...]:
    divergence = first_divergence(evidence.reference, other, unstable)
    if divergence is not None:
        return divergence.mismatches
    rest = compare(evidence.reference.end.state, other.end.state, traits=False)
    # A component may count its saves; the tensors of models and optimizers may not follow, but for counts.
    trained = [name for name, kind in evidence.kinds.items() if kind in ("module", "optimizer")]
    return tuple(
        m
        for m in rest
        if m.path not in unstable
        and m.tensor
        and evidence.component_of(m.path) in trained
        and not _is_count(evidence, m.path)
    )


def _is_count(evidence: Evidence, path: str) -> bool:
    component = evidence.component_of(path)
    state = evidence.reference.end.state[component]
    tensor = state.get(path.removeprefix(f"{component}.")) if isinstance(state, dict) else None
    return isinstance(tensor, torch.Tensor) and not (tensor.is_floating_point() or tensor.is_complex())


def _changed(evidence: Evidence, name: str, found: tuple[Mismatch, ...], saving: Trajectory) -> Outcome:
    divergence = first_divergence(evidence.reference, saving, evidence.unstable_paths)
    last = divergence.step if divergence is not None else evidence.plan.steps
    points = [k for k in reversed(evidence.plan.at) if k <= last]
    changed = next(filter(None, (inquiry.changed_by_saving(evidence, k) for k in points)), ())
    changed = tuple(m for m in changed if (m.kind, m.expected) != ("missing", "None"))
    details = [f"save(path) changed {m.path}: before {m.expected}, after {m.actual}" for m in changed[:6]]
    where = f"they part at step({last})" if divergence is not None else "they end in different states"
    return outcome(
        evidence,
        name,
        status="fail",
        summary=f"A run that saves trains differently from one that never saves: {where}.",
        mismatches=found,
        words=("never saved", "saved"),
        causes=tuple(mismatch.path for mismatch in changed),
        details=tuple(details),
        advice="Let save read the run and write copies; restore modes, devices, dtypes and random state it changes.",
    )


@check("side_effects")
def check_checkpoints_are_independent(evidence: Evidence) -> Outcome:
    """A checkpoint holds the same whether or not the run saves others before and after it.

    A payload that is built once and written at every save, a side file without the step in its name, an
    optimizer written at the first save only: alone each checkpoint is right. One that a project has
    deleted meanwhile, to keep its last few, is no failure.

    What to do: Write the run's current state at every save, into files that no other save touches.
    """
    name = "checkpoints_are_independent"
    if len(evidence.interruption.trips) < 2:
        return outcome(evidence, name, status="skipped", summary="Only one checkpoint is saved.")
    suspicious = [trip for trip in evidence.interruption.trips if trip.failure is None and _lost_tensors(trip)]
    right_alone = [trip for trip in suspicious if not _lost_tensors(evidence.settle(trip.at))]
    for trip in right_alone:
        noted = {mismatch.path for mismatch in inquiry.changed_by_saving(evidence, trip.at)}
        if lost := tuple(m for m in _lost_tensors(evidence.together(trip.at)) if m.path not in noted):
            steps = count_of_steps(trip.at)
            return outcome(
                evidence,
                name,
                status="fail",
                summary=f"Alone, a checkpoint saved after {steps} is right; among others of its run it is not.",
                mismatches=lost,
                causes=tuple(dict.fromkeys(evidence.component_of(m.path) for m in lost)),
                advice="Write the run's current state at every save, into files that no other save touches.",
            )
    if len(right_alone) < len(suspicious):
        return outcome(evidence, name, status="skipped", summary="Alone, a checkpoint is not right either.")
    return outcome(evidence, name, status="pass")


def _lost_tensors(trip: Trip) -> tuple[Mismatch, ...]:
    return tuple(mismatch for mismatch in trip.restored if mismatch.tensor)


_TRAINED = "after the first loaded run has trained on"
_CLONE = "Clone tensors when loading: the loaded run trains on the checkpoint's own memory (an alias)."
_DRAW_NOTHING = "Let load read the file and nothing else: no random numbers, no counts, no time."
_KEEP_THE_FILE = "Leave the checkpoint where it is when loading: the next start needs it, too."
_KEEP_THE_MAPPING = "Copy what load takes out of a mapping that is kept, instead of popping it."


@check("side_effects")
def check_loading_twice_gives_the_same(evidence: Evidence) -> Outcome:
    """A checkpoint that was loaded, and whose run has trained on, loads the same a second time.

    A load that keeps the file's own tensors lets training write into a cached mapping, and one that pops
    keys out of it leaves nothing for the next load.

    What to do: Clone tensors when loading, and copy what load takes out of a mapping that is kept, instead of
    popping it.
    """
    name = "loading_twice_gives_the_same"
    found = evidence.generations
    if found.failure is not None:
        return not_reached(evidence, name, found.failure)
    if found.second_load is not None:
        return outcome(
            evidence,
            name,
            status="fail",
            summary=f"The first load works, a second load of the same checkpoint does not: {found.second_load}",
            details=found.second_load.where,
            advice=_KEEP_THE_FILE if "FileNotFoundError" in str(found.second_load) else _KEEP_THE_MAPPING,
        )
    still = not evidence.plan.steps
    if lost := evidence.lost(found.loaded_again):
        return outcome(
            evidence,
            name,
            status="fail",
            summary=f"The same checkpoint loads differently {'a second time' if still else _TRAINED}.",
            mismatches=lost,
            words=("first load", "second load"),
            causes=tuple(dict.fromkeys(evidence.component_of(m.path) for m in lost)),
            advice=_DRAW_NOTHING if still else _CLONE,
        )
    return outcome(evidence, name, status="pass")


@check("side_effects")
def check_kept_weights_are_copies(evidence: Evidence) -> Outcome:
    """Weights that training sets aside, such as the best so far, do not follow the live model.

    What ``model.state_dict()`` returns holds the model's own memory, so the best weights change with every
    step. A resumed run has a copy of them, out of the file: the two keep different weights from there on.

    What to do: Set copies aside: copy.deepcopy(model.state_dict()), or a clone of each tensor.
    """
    name = "kept_weights_are_copies"
    if not evidence.plan.steps:
        return outcome(evidence, name, status="skipped", summary="The run has no step=, so it cannot train on.")
    if (failure := evidence.interruption.failure) is not None:
        return not_reached(evidence, name, failure)
    if stopped := evidence.needs.stopped:
        return outcome(evidence, name, status="skipped", summary=f"The run cannot be taken apart: {stopped}.")
    if not (found := evidence.needs.following):
        return outcome(evidence, name, status="pass")
    paths = tuple(mismatch.path for mismatch in found)
    return outcome(
        evidence,
        name,
        status="fail",
        summary=f"{paths[0]} is set aside while training, and changes with every step that follows.",
        mismatches=found,
        words=("uninterrupted", "resumed"),
        causes=paths,
        advice=f"Set a copy aside: {paths[0]} = copy.deepcopy(model.state_dict()).",
    )
