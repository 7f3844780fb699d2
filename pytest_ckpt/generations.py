"""What the spine does not see: predictions, and a checkpoint of a run that was itself loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.runs import LiveRun, build
from pytest_ckpt.spine import load_into, save_and_wait, save_on_the_way
from pytest_ckpt.state import StateTree, capture, get_random_state, seed_everything, set_random_state
from pytest_ckpt.trips import FIRST_SEED, CallFailed, Plan, SavedRun, fresh_seed, new_path, stage

__all__ = [
    "AFTER_LOADING",
    "Generations",
    "Predictions",
    "compare_generations",
    "compare_predictions",
    "is_mapped",
    "predict_seeded",
]

AFTER_LOADING = "predict() after loading"
"""The stage in which a loaded run predicts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """How the loaded run's prediction differs from the saved one's.

    A prediction that raises after loading, and not before saving, is a failure whose stage says so.

    Attributes:
        at: Training steps before saving.
        restored: The differences.
        unstable: How two predictions of the saved run differ.
        fresh: Whether the fresh run predicted something else before loading.
        later: How the predictions at the end differ, where training went on in the same way.
        failure: What the project's code raised instead, if it did.
    """

    at: int
    restored: tuple[Mismatch, ...] = ()
    unstable: tuple[Mismatch, ...] = ()
    fresh: bool = False
    later: tuple[Mismatch, ...] = ()
    failure: CallFailed | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Generations:
    """How a second generation differs from the first.

    Attributes:
        other_path: The loaded run, saved to another path.
        same_path: The loaded run, saved over its own checkpoint.
        loaded_again: The first checkpoint, loaded a second time after the loaded run had trained on.
        first: Whether the failure was in loading the first generation.
        failure: What the project's code raised instead, if it did.
        second_load: What loading the first checkpoint a second time raised, if it did.
        notes: What was not tried, and why.
    """

    other_path: tuple[Mismatch, ...] = ()
    same_path: tuple[Mismatch, ...] = ()
    loaded_again: tuple[Mismatch, ...] = ()
    first: bool = False
    failure: CallFailed | None = None
    second_load: CallFailed | None = None
    notes: tuple[str, ...] = ()


def compare_predictions(plan: Plan, directory: Path) -> Predictions | None:
    """Predict before saving and after loading; ``None`` for a run without ``predict``."""
    at = plan.at[-1]
    if build(plan.make_run, FIRST_SEED).definition.predict is None:
        return None
    try:
        saved = save_on_the_way(replace(plan, steps=at, at=(at,)), directory)
        with stage("predict()"):
            random_state = get_random_state()
            expected, again = predict_seeded(saved.run), predict_seeded(saved.run)
            set_random_state(random_state)
            end = _end(saved.run, plan.steps)
        differs_untouched = _predicts_otherwise(build(plan.make_run, fresh_seed(at)), expected)
        fresh = build(plan.make_run, fresh_seed(at))
        load_into(plan, fresh, saved, at)
        with stage(AFTER_LOADING):
            random_state = get_random_state()
            actual = predict_seeded(fresh)
            set_random_state(random_state)
            other_end = _end(fresh, plan.steps)
    except CallFailed as failure:
        return Predictions(at=at, failure=failure)
    return Predictions(
        at=at,
        restored=_named_diff(expected, actual),
        unstable=_named_diff(expected, again),
        fresh=differs_untouched,
        later=() if compare(end[0], other_end[0], traits=False) else _named_diff(end[1], other_end[1]),
    )


def _predicts_otherwise(run: LiveRun, expected: Any) -> bool:
    try:
        return bool(_named_diff(expected, predict_seeded(run)))
    except Exception:  # What it predicts with may come with the checkpoint.
        return True


def _end(run: LiveRun, steps: int) -> tuple[Any, Any]:
    """Train to the end and return what is known of that, and the prediction there."""
    records = run.train(steps)
    return (records, capture(run.components, hidden=False).state), predict_seeded(run)


def predict_seeded(run: LiveRun) -> Any:
    """Return the run's prediction under a seed of its own."""
    seed_everything(FIRST_SEED)
    return run.predict()


def _named_diff(expected: Any, actual: Any) -> tuple[Mismatch, ...]:
    return compare({"prediction": expected}, {"prediction": actual}, traits=False).mismatches


def compare_generations(plan: Plan, directory: Path) -> Generations:
    """Load a checkpoint, save the loaded run to another and to the same path, and load both; load it twice."""
    at = plan.at[-1]
    try:
        saved = save_on_the_way(replace(plan, steps=at, at=(at,)), directory)
        first = build(plan.make_run, fresh_seed(at))
        expected = load_into(plan, first, saved, at)
    except CallFailed as failure:
        return Generations(first=True, failure=failure)
    # What the first load lost already is another check's finding.
    lost = [m.path for m in compare(saved.trees[at].state, expected.state, traits=False)]
    try:
        other_path, notes = _to_another_path(plan, first, saved, at, directory)
    except CallFailed as failure:
        return Generations(failure=failure)
    try:
        with stage(f"step({at}) or a later one, after loading,"):
            first.train(plan.steps)
    except CallFailed as failure:
        return Generations(other_path=without(other_path, lost), first=True, failure=failure)
    try:
        again, loaded_again = _load_again(plan, saved, at, expected)
    except CallFailed as failure:
        return Generations(other_path=without(other_path, lost), second_load=failure)
    same_path, more_notes = _to_the_same_path(plan, again, saved, at)
    return Generations(
        other_path=without(other_path, lost),
        same_path=without(same_path, lost),
        loaded_again=without(loaded_again, lost),
        notes=(*notes, *more_notes),
    )


def _to_another_path(
    plan: Plan, run: LiveRun, saved: SavedRun, at: int, directory: Path
) -> tuple[tuple[Mismatch, ...], tuple[str, ...]]:
    path = new_path(directory, "second-generation", plan.storage)
    with stage("save(path) of a loaded run"):
        save_and_wait(plan, run, path)
    if any(saved.paths[at].parent.iterdir()) and not any(path.parent.iterdir()):
        return (), (_NOTHING_SAVED,)
    # After the save, not before it: a trainer may count its saves.
    return _load_again(plan, saved, at, capture(run.components, hidden=False), path)[1], ()


def _to_the_same_path(
    plan: Plan, run: LiveRun, saved: SavedRun, at: int
) -> tuple[tuple[Mismatch, ...], tuple[str, ...]]:
    if is_mapped(saved.paths[at]):
        return (), (_MAPPED,)
    try:
        with stage("save(path) over the loaded checkpoint"):
            save_and_wait(plan, run, saved.paths[at])
        return _load_again(plan, saved, at, capture(run.components, hidden=False))[1], ()
    except CallFailed as failure:
        return (), (f"Saving over a loaded checkpoint was not possible: {failure}",)


_NOTHING_SAVED = "The loaded run was not saved a second time: save(path) wrote nothing for a step it has."
_MAPPED = (
    "Saving over a loaded checkpoint was not tried: the loaded run still reads the file (mmap=True), and a save "
    "that truncates it in place would kill the process."
)


def is_mapped(path: Path) -> bool:
    """Whether this process has a file, or one in a directory, in its memory map; Linux alone can tell."""
    maps = Path("/proc/self/maps")
    return maps.exists() and str(path) in maps.read_text(errors="replace")


def _load_again(
    plan: Plan, saved: SavedRun, at: int, expected: StateTree, path: Path | None = None
) -> tuple[LiveRun, tuple[Mismatch, ...]]:
    run = build(plan.make_run, fresh_seed(at) + 1)
    actual = load_into(plan, run, saved, at, path)
    again = compare(actual.state, capture(run.components, hidden=False).state, traits=False)
    return run, without(compare(expected.state, actual.state, traits=False).mismatches, [m.path for m in again])


def without(mismatches: Sequence[Mismatch], paths: Sequence[str]) -> tuple[Mismatch, ...]:
    """Return the mismatches at other paths than these."""
    return tuple(mismatch for mismatch in mismatches if mismatch.path not in paths)
