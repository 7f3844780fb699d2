"""The spine: train, save, train on to the end; load into a fresh run, compare, train on, compare.

Every check of a round trip or of a resume judges what the functions here found.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from pytest_ckpt.comparison import Mismatch, compare, differ
from pytest_ckpt.runs import LiveRun, Record, build
from pytest_ckpt.runs.background import BackgroundSaves
from pytest_ckpt.runs.carrying import carry_over
from pytest_ckpt.runs.distinct import require_distinct_runs
from pytest_ckpt.runs.following import follow_replaced
from pytest_ckpt.state import StateTree, capture
from pytest_ckpt.trips import (
    FIRST_SEED,
    CallFailed,
    Divergence,
    Interruption,
    Plan,
    SavedRun,
    Trajectory,
    Trip,
    fresh_seed,
    new_path,
    save_stage,
    stage,
)

__all__ = ["first_divergence", "interrupt", "load_into", "resume", "save_and_wait", "save_on_the_way", "uninterrupted"]


def uninterrupted(plan: Plan) -> Trajectory:
    """Train a run that never stops and never saves."""
    run = build(plan.make_run, FIRST_SEED)
    records = run.train(plan.steps)
    return Trajectory(start=0, records=records, end=capture(run.components, hidden=False))


def save_on_the_way(plan: Plan, directory: Path) -> SavedRun:
    """Train a run to the end that saves at every step asked for.

    Raises:
        CallFailed: If the run cannot train or save.
    """
    run = build(plan.make_run, FIRST_SEED)
    background = BackgroundSaves()
    trees, paths, records = {}, {}, []
    for at in plan.at:
        records += _train(run, at, background)
        trees[at] = capture(run.components, hidden=bool(plan.ignore))
        paths[at] = new_path(directory, f"step-{at}", plan.storage)
        with stage(save_stage(at)), background.watching():
            plan.save(run, paths[at])
    after = {at: capture(run.components, hidden=False) for at in plan.at} if len(plan.at) == 1 else {}
    # To the end before anything is loaded: the random state is global.
    records += _train(run, plan.steps, background)
    background.wait(directory)
    trajectory = Trajectory(start=0, records=records, end=capture(run.components, hidden=False))
    return SavedRun(run=run, trajectory=trajectory, trees=trees, paths=paths, after=after)


def save_and_wait(plan: Plan, run: LiveRun, path: Path) -> None:
    """Save a run and wait until what it saves in the background is written."""
    background = BackgroundSaves()
    with background.watching():
        plan.save(run, path)
    background.wait(path.parent)


def interrupt(
    plan: Plan, directory: Path, reference: Trajectory | None = None, unstable: Sequence[str] = ()
) -> Interruption:
    """Train a run that saves at every step asked for, then resume from each checkpoint.

    Args:
        plan: What to run.
        directory: An empty directory for the checkpoints.
        reference: The run to compare the resumed ones with; default: the saving run itself.
        unstable: Paths that differ between two uninterrupted runs; they are not compared.

    Raises:
        CallFailed: If the saving run itself cannot train or save.
    """
    saved = save_on_the_way(plan, directory)
    reference = reference or saved.trajectory
    trips = [resume(plan, saved, at, reference, unstable) for at in plan.at]
    return Interruption(saving=saved.trajectory, trips=tuple(trips))


def _train(run: LiveRun, until: int, background: BackgroundSaves) -> list[Record]:
    with stage(f"step({run.steps_done})"):
        with background.yielding() if background.busy else nullcontext():
            records = run.train(min(until, run.steps_done + 1))
        background.release()
        return records + run.train(until)


def resume(plan: Plan, saved: SavedRun, at: int, reference: Trajectory, unstable: Sequence[str] = ()) -> Trip:
    """Load a checkpoint into a fresh run under another seed, train it to the end and compare."""
    fresh = build(plan.make_run, fresh_seed(at))
    require_distinct_runs(saved.run, fresh)
    tree = saved.trees[at]
    differed = _before_loading(fresh, tree) if at == plan.at[-1] else ()
    try:
        loaded = load_into(plan, fresh, saved, at)
        diff = compare(tree.state, loaded.state, traits=False)
        volatile = _volatile_paths(fresh, loaded) if diff else ()
        with stage(f"step({at}) or a later one, after loading,"):
            records = fresh.train(plan.steps)
            end = capture(fresh.components, hidden=False)
    except CallFailed as failure:
        return Trip(at=at, failure=failure, fresh=differed)
    early, late = _trait_paths(tree, loaded), _trait_paths(reference.end, end)
    rest = compare(reference.end.state, end.state, traits=False)
    divergence = first_divergence(reference, Trajectory(start=at, records=records, end=end), unstable)
    still_wrong = {mismatch.path for mismatch in rest}
    return Trip(
        at=at,
        restored=without_noted(tuple(m for m in diff if m.path not in volatile), tree, saved.after.get(at), loaded),
        volatile=volatile,
        lasting=tuple(mismatch for path, mismatch in early.items() if path in late),
        divergence=divergence,
        end=tuple(m for m in rest if m.path not in unstable and m.path not in volatile),
        healed=tuple(m.path for m in diff if divergence is None and records and m.path not in still_wrong),
        fresh=differed,
        paths=diff.compared,
    )


def without_noted(
    mismatches: tuple[Mismatch, ...], before: StateTree, after: StateTree | None, loaded: StateTree
) -> tuple[Mismatch, ...]:
    """Return the mismatches but those where a save noted something in the run, and the file has it as well.

    A trainer that counts its saves counts this one before it writes.
    """
    if after is None or not mismatches:
        return mismatches
    noted = {m.path for m in compare(before.state, after.state, traits=False)}
    still = {m.path for m in compare(after.state, loaded.state, traits=False)}
    return tuple(m for m in mismatches if m.path not in noted or m.path in still)


def load_into(plan: Plan, fresh: LiveRun, saved: SavedRun, at: int, path: Path | None = None) -> StateTree:
    """Load a checkpoint of step ``at`` into a fresh run and return its state.

    Args:
        plan: What is run.
        fresh: The run to load into.
        saved: The run that saved.
        at: The step it was saved after.
        path: The checkpoint; default: the one that ``saved`` wrote.

    Raises:
        CallFailed: If the project's ``load`` raises.
    """
    with stage("load(path)"):
        plan.load(fresh, saved.paths[at] if path is None else path)
        carry_over(fresh, saved.trees[at], plan.ignore)
        fresh.steps_done = at
        loaded = capture(fresh.components, hidden=False)
        if differ(saved.trees[at].state, loaded.state, traits=False) and follow_replaced(fresh, saved.run):
            loaded = capture(fresh.components, hidden=False)
        return loaded


def _before_loading(fresh: LiveRun, saved: StateTree) -> tuple[str, ...]:
    return tuple(m.path for m in compare(saved.state, capture(fresh.components, hidden=False).state, traits=False))


def first_divergence(reference: Trajectory, other: Trajectory, ignore: Sequence[str] = ()) -> Divergence | None:
    """Return the first step whose record differs outside the paths in ``ignore``."""
    for offset, record in enumerate(other.records):
        step = other.start + offset
        diff = compare(reference.records[step], record, traits=False)
        if found := tuple(mismatch for mismatch in diff if mismatch.path not in ignore):
            return Divergence(step=step, mismatches=found)
    return None


def _volatile_paths(run: LiveRun, tree: StateTree) -> tuple[str, ...]:
    again = capture(run.components, hidden=False)
    return tuple(mismatch.path for mismatch in compare(tree.state, again.state, traits=False))


def _trait_paths(expected: StateTree, actual: StateTree) -> dict[str, Mismatch]:
    found = [*compare(expected.traits, actual.traits), *compare(expected.sharing, actual.sharing)]
    return {mismatch.path: mismatch for mismatch in found}
