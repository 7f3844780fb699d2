"""What the spine does not see: predictions, and a checkpoint of a run that was itself loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.runs import LiveRun, build
from pytest_ckpt.spine import load_into, save_on_the_way
from pytest_ckpt.state import StateTree, capture, seed_everything
from pytest_ckpt.trips import FIRST_SEED, CallFailed, Plan, fresh_seed, new_path, stage

__all__ = ["Generations", "Predictions", "compare_generations", "compare_predictions"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """How the loaded run's prediction differs from the saved one's.

    Attributes:
        at: Training steps before saving.
        restored: The differences.
        unstable: How two predictions of the saved run differ.
        fresh: Whether the fresh run predicted something else before loading.
        failure: What the project's code raised instead, if it did.
    """

    at: int
    restored: tuple[Mismatch, ...] = ()
    unstable: tuple[Mismatch, ...] = ()
    fresh: bool = False
    failure: CallFailed | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Generations:
    """How a second generation differs from the first.

    Attributes:
        other_path: The loaded run, saved to another path.
        same_path: The loaded run, saved over its own checkpoint.
        first: Whether the failure was in loading the first generation.
        failure: What the project's code raised instead, if it did.
        notes: What was not tried, and why.
    """

    other_path: tuple[Mismatch, ...] = ()
    same_path: tuple[Mismatch, ...] = ()
    first: bool = False
    failure: CallFailed | None = None
    notes: tuple[str, ...] = ()


def compare_predictions(plan: Plan, directory: Path) -> Predictions | None:
    """Predict before saving and after loading; ``None`` for a run without ``predict``."""
    at = plan.at[-1]
    run = build(plan.make_run, FIRST_SEED)
    if run.definition.predict is None:
        return None
    run.train(at)
    tree = capture(run.components, hidden=bool(plan.ignore))
    path = new_path(directory, "checkpoint", plan.storage)
    try:
        with stage(f"save(path) after {at} steps"):
            plan.storage.save(run, path)
        with stage("predict()"):
            expected, again = _predict(run), _predict(run)
            untouched = _predict(build(plan.make_run, fresh_seed(at)))
        fresh = build(plan.make_run, fresh_seed(at))
        load_into(plan, fresh, path, tree, at)
        with stage("predict() after loading"):
            actual = _predict(fresh)
    except CallFailed as failure:
        return Predictions(at=at, failure=failure)
    return Predictions(
        at=at,
        restored=_named_diff(expected, actual),
        unstable=_named_diff(expected, again),
        fresh=bool(_named_diff(expected, untouched)),
    )


def _predict(run: LiveRun) -> Any:
    seed_everything(FIRST_SEED)
    return run.predict()


def _named_diff(expected: Any, actual: Any) -> tuple[Mismatch, ...]:
    return compare({"prediction": expected}, {"prediction": actual}, traits=False).mismatches


def compare_generations(plan: Plan, directory: Path) -> Generations:
    """Load a checkpoint, save the loaded run to another and to the same path, and load both."""
    at = plan.at[-1]
    only = Plan(make_run=plan.make_run, steps=at, at=(at,), storage=plan.storage, ignore=plan.ignore)
    saved = save_on_the_way(only, directory)
    tree, path = saved.trees[at], saved.paths[at]
    other = new_path(directory, "second-generation", plan.storage)
    try:
        first = build(plan.make_run, fresh_seed(at))
        expected = load_into(plan, first, path, tree, at)
    except CallFailed as failure:
        return Generations(first=True, failure=failure)
    try:
        with stage("save(path) of a loaded run"):
            plan.storage.save(first, other)
        differences = _second(plan, other, tree, at, expected)
        with stage("save(path) over the loaded checkpoint"):
            plan.storage.save(first, path)
        return Generations(other_path=differences, same_path=_second(plan, path, tree, at, expected))
    except CallFailed as failure:
        if isinstance(failure.__cause__, FileExistsError):
            return Generations(notes=("save(path) refuses to write over a checkpoint; not tried.",))
        return Generations(failure=failure)


def _second(plan: Plan, path: Path, tree: StateTree, at: int, expected: StateTree) -> tuple[Mismatch, ...]:
    run = build(plan.make_run, fresh_seed(at) + 1)
    actual = load_into(plan, run, path, tree, at)
    again = compare(actual.state, capture(run.components, hidden=False).state, traits=False)
    return without(compare(expected.state, actual.state, traits=False).mismatches, [m.path for m in again])


def without(mismatches: Sequence[Mismatch], paths: Sequence[str]) -> tuple[Mismatch, ...]:
    """Return the mismatches at other paths than these."""
    return tuple(mismatch for mismatch in mismatches if mismatch.path not in paths)
