"""A run that is resumed twice: saved, loaded, trained on, saved again, loaded again, trained to the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.diagnosis import find_differences
from pytest_ckpt.runs import LiveRun, build
from pytest_ckpt.spine import load_into, resume, save_and_wait, save_on_the_way
from pytest_ckpt.state import capture
from pytest_ckpt.trips import Plan, SavedRun, Trajectory, Trip, fresh_seed, new_path, stage

__all__ = ["explain_second_resume", "resume_twice", "two_points"]


def two_points(plan: Plan) -> tuple[int, int]:
    """Return the step of the first save and that of the second; the same one where only one is allowed."""
    middle = (len(plan.at) - 1) // 2
    first = plan.at[middle]
    return first, plan.at[middle + 1] if middle + 1 < len(plan.at) else first


def resume_twice(plan: Plan, directory: Path, reference: Trajectory, unstable: Sequence[str]) -> Trip:
    """Resume a run twice and compare it with the run that never stopped.

    Raises:
        CallFailed: If the project's code raises before the second load.
    """
    second = _save_twice(plan, directory)[0]
    return resume(plan, second, two_points(plan)[1], reference, unstable)


def explain_second_resume(plan: Plan, directory: Path) -> tuple[Mismatch, ...]:
    """Return how the run after the second load differs from the one that saved there."""
    second, first = _save_twice(plan, directory)
    at = two_points(plan)[1]
    loaded = build(plan.make_run, fresh_seed(at))
    load_into(plan, loaded, second, at)
    loaded.ambient = plan.ambient()
    return find_differences(plan, at, first, loaded)


def _save_twice(plan: Plan, directory: Path) -> tuple[SavedRun, LiveRun]:
    start, at = two_points(plan)
    saved = save_on_the_way(replace(plan, at=(start,)), directory)
    run = build(plan.make_run, fresh_seed(start))
    load_into(plan, run, saved, start)
    with stage(f"step({start}) after the first load"):
        run.train(at)
    run.ambient = plan.ambient()
    tree = capture(run.components, hidden=bool(plan.ignore))
    path = new_path(directory, "second-save", plan.storage)
    with stage("save(path) of a resumed run"):
        save_and_wait(plan, run, path)
    # Its continuation is not asked for: the run that never stopped is the reference.
    trajectory = Trajectory(start=0, records=[], end=tree)
    return SavedRun(run=saved.run, trajectory=trajectory, trees={at: tree}, paths={at: path}), run
