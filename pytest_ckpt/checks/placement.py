"""Placement: what another device, and a machine with other devices, make of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.checks.judging import not_reached, outcome
from pytest_ckpt.checks.losses import hard, lost_state
from pytest_ckpt.checks.moved import advice, is_serious, misplaced_lines, notes
from pytest_ckpt.checks.newness import parts
from pytest_ckpt.checks.outcome import Outcome
from pytest_ckpt.checks.registry import check
from pytest_ckpt.checks.resume import check_resume_is_exact
from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.devices import world
from pytest_ckpt.relocation import Place, Relocation, plan_there, relocate
from pytest_ckpt.trips import Trip, count_of_steps, workspace

__all__ = ["MOVED_TO"]

MOVED_TO = "cuda:1"
"""The device that checks of placement make runs on, real or simulated."""
_CPU = Place(device="cpu")
_SECOND = Place(device=MOVED_TO)
_ONLY = Place(device="cuda:0", count=1)
_STEPS_BEFORE, _STEPS_AFTER = 2, 2


@dataclass(frozen=True, kw_only=True, slots=True)
class _Move:
    """One move to judge: the check's name, from where, to where."""

    name: str
    source: Place
    target: Place


@check("placement")
def check_placement_cuda_to_cuda(evidence: Evidence) -> Outcome:
    """A run that is resumed on the CUDA device it was saved on repeats the run that never stopped.

    The device is the second one of its machine, simulated where it is not there. A load that leaves state on the
    CPU or puts it on the first device, or that restores the random state of the CPU alone, is right on a CPU.

    What to do: Load every tensor to where it was when the run trained, and the random state of every device.
    """
    return _judge(evidence, _Move(name="placement_cuda_to_cuda", source=_SECOND, target=_SECOND))


@check("placement")
def check_placement_cuda_to_cpu(evidence: Evidence) -> Outcome:
    """A checkpoint of a machine with CUDA can be loaded and trained on where there is none.

    Torch writes down where each tensor was, and puts it back there unless it is told otherwise; a laptop without
    that device cannot load the file at all. The devices are simulated where they are not there.

    What to do: Tell torch.load where tensors go, with map_location, and ask for CUDA only where it is available.
    """
    return _judge(evidence, _Move(name="placement_cuda_to_cpu", source=_SECOND, target=_CPU))


@check("placement")
def check_placement_cpu_to_cuda(evidence: Evidence) -> Outcome:
    """A checkpoint of a machine without CUDA can be loaded and trained on on a CUDA device.

    What a load puts into place by hand is on the CPU then, beside a model that is not, and the next step fails or,
    worse, trains something else. The device is simulated where it is not there.

    What to do: Move to the device of this run whatever load does not give to load_state_dict().
    """
    return _judge(evidence, _Move(name="placement_cpu_to_cuda", source=_CPU, target=_SECOND))


@check("placement")
def check_placement_to_fewer_devices(evidence: Evidence) -> Outcome:
    """A checkpoint of the second CUDA device of a machine can be loaded on a machine with one.

    The file speaks of a device that is not there, and holds the random state of more devices than there are. The
    devices are simulated where they are not there.

    What to do: Take devices from the run that loads, never from the checkpoint, and count those that are there.
    """
    return _judge(evidence, _Move(name="placement_to_fewer_devices", source=_SECOND, target=_ONLY))


def _judge(evidence: Evidence, move: _Move) -> Outcome:
    if evidence.moving is None:
        return outcome(evidence, move.name, status="skipped", summary=_NO_PARAMETER)
    if (failure := evidence.interruption.failure) is not None:
        return not_reached(evidence, move.name, failure)
    here = _trip_here(evidence)
    if here.failure is not None:
        return outcome(evidence, move.name, status="skipped", summary=_NOT_HERE)
    found = relocate(evidence.moving, move.source, move.target, **_terms(evidence, here.at))
    judged = _nothing_to_say(evidence, move, found) or _wrong(evidence, move, found, here)
    where = found.source if move.source == move.target else f"{found.source} -> {found.target}"
    return replace(judged, device=where)


_NO_PARAMETER = (
    "make_run has no parameter 'device'. Give it one, as in make_run(device=\"cpu\"), and make the run on that device."
)
_NOT_HERE = "The checkpoint is not right without another device either: see state_is_restored."


def _trip_here(evidence: Evidence) -> Trip:
    """Return the trip, where the run is made by default, from the checkpoint that is moved."""
    trips = evidence.trips
    chosen = next((trip for trip in trips if trip.at >= _STEPS_BEFORE), trips[-1])
    wrong = chosen.failure is not None or parts(chosen) or lost_state(chosen)
    return evidence.settle(chosen.at) if wrong else chosen


def _terms(evidence: Evidence, at: int) -> dict[str, Any]:
    steps = min(evidence.plan.steps, at + _STEPS_AFTER)
    return {"steps": steps, "at": at, "format": evidence.plan.storage.name, "ignore": evidence.plan.ignore}


def _nothing_to_say(evidence: Evidence, move: _Move, found: Relocation) -> Outcome | None:
    if found.unable:
        first = found.unable.splitlines()[0].rstrip(".")
        summary = f"{first[0].upper()}{first[1:]}. No checkpoint has a part in it."
        return outcome(evidence, move.name, status="skipped", summary=summary)
    if found.unsimulated and move.target is _SECOND:
        summary = f"{move.target.device} cannot be simulated here: {found.unsimulated}."
        return outcome(evidence, move.name, status="skipped", summary=summary)
    if found.failure is None and not found.unsimulated and found.idle:
        summary = f"No tensor of the run is on {found.idle}, although make_run was called with device={found.idle!r}."
        return outcome(evidence, move.name, status="vacuous", summary=summary)
    return None


def _wrong(evidence: Evidence, move: _Move, found: Relocation, here: Trip) -> Outcome:
    if found.failure is not None:
        return _refused(evidence, move, found, here.at)
    if serious := tuple(item for item in found.misplaced if is_serious(evidence, item)):
        return _misplaced(evidence, move, replace(found, misplaced=serious), here.at)
    if lost := _lost(evidence, move, found, here):
        return _changed(evidence, move, lost, found, here.at)
    if found.divergence is not None and not parts(here) and not lost_state(here):
        return _parted(evidence, move, found, here.at)
    if evidence.plan.steps and not evidence.training_moves:
        return outcome(evidence, move.name, status="vacuous", summary="Nothing changed during training.")
    # The other moves would say the same again.
    said = tuple(notes(found)) if move.source == move.target else ()
    return outcome(evidence, move.name, status="pass", notes=said)


def _refused(evidence: Evidence, move: _Move, found: Relocation, at: int) -> Outcome:
    assert found.failure is not None
    steps = count_of_steps(at)
    if found.failure.stage.startswith("save"):
        what = f"The run cannot be saved on {found.source}"
    elif found.failure.stage.startswith("load"):
        what = f"A checkpoint saved on {found.source} after {steps} cannot be loaded on {found.target}"
    else:
        what = f"Saved on {found.source} after {steps} and loaded on {found.target}, the run cannot train on"
    return outcome(
        evidence,
        move.name,
        status="fail",
        summary=f"{what}: {found.failure}",
        causes=tuple(item.path for item in found.misplaced),
        details=(*found.failure.where, *misplaced_lines(found)),
        advice=advice(found),
    )


def _misplaced(evidence: Evidence, move: _Move, found: Relocation, at: int) -> Outcome:
    return outcome(
        evidence,
        move.name,
        status="fail",
        summary=(
            f"Saved on {found.source} after {count_of_steps(at)} and loaded on {found.target}, the run has tensors "
            "in the wrong place."
        ),
        causes=tuple(item.path for item in found.misplaced),
        details=tuple(misplaced_lines(found)),
        advice=advice(found),
    )


def _lost(evidence: Evidence, move: _Move, found: Relocation, here: Trip) -> tuple[Mismatch, ...]:
    """Return the state that only the move has lost.

    On another machine a component may rightly hold something else, such as the name of its device or the random
    state of each device there is; the tensors of modules and optimizers may not.
    """
    elsewhere = {*here.volatile, *(mismatch.path for mismatch in here.restored)}
    lost = tuple(mismatch for mismatch in hard(found.restored) if mismatch.path not in elsewhere)
    if move.source != move.target:
        lost = tuple(m for m in lost if m.tensor and _is_trained(evidence, m.path))
    return evidence.lost(lost)


def _is_trained(evidence: Evidence, path: str) -> bool:
    return evidence.kinds.get(evidence.component_of(path)) in ("module", "optimizer")


_NOT_REPEATED = "Training is not deterministic: two runs that never stopped differ already."
_RIGHT_OTHERWISE = "Where the run is made without device=, it is right."


def _changed(evidence: Evidence, move: _Move, lost: tuple[Mismatch, ...], found: Relocation, at: int) -> Outcome:
    nondeterministic = evidence.nondeterministic
    return outcome(
        evidence,
        move.name,
        status="undecidable" if nondeterministic else "fail",
        summary=_NOT_REPEATED
        if nondeterministic
        else f"The state changed on its way from {found.source} to {found.target}, saved after {count_of_steps(at)}.",
        mismatches=lost,
        causes=tuple(dict.fromkeys(evidence.component_of(mismatch.path) for mismatch in lost)),
        details=() if nondeterministic else (_RIGHT_OTHERWISE,),
        advice="" if nondeterministic else advice(found),
    )


def _parted(evidence: Evidence, move: _Move, found: Relocation, at: int) -> Outcome:
    """Ask the check of resuming, on the device itself: it knows what is to blame, and whether training repeats."""
    assert evidence.moving is not None
    assert found.divergence is not None
    terms = {**_terms(evidence, at), "steps": evidence.plan.steps}
    with workspace(), world(move.target.device, count=move.target.count) as here:
        plan = plan_there(evidence.moving, here, **terms)
        seen = check_resume_is_exact(Evidence(plan, here.name, explain=evidence.explain))
    if seen.status in ("fail", "undecidable"):
        details = (*seen.details, _RIGHT_OTHERWISE) if seen.status == "fail" else seen.details
        return replace(seen, check=move.name, details=details)
    steps = count_of_steps(at)
    return outcome(
        evidence,
        move.name,
        status="undecidable",
        summary=f"Saved on {found.source} after {steps}, the resumed run parted at step({found.divergence.step}) once.",
        mismatches=found.divergence.mismatches,
        words=("uninterrupted", "resumed"),
    )
