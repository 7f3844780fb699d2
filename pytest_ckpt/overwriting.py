"""What was there before: a checkpoint loaded into a run that has trained, and one saved over another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.diagnosis import find_differences
from pytest_ckpt.runs import build
from pytest_ckpt.spine import first_divergence, load_into, resume, save_and_wait, save_on_the_way
from pytest_ckpt.state import capture
from pytest_ckpt.trips import (
    FIRST_SEED,
    CallFailed,
    Plan,
    SavedRun,
    Trajectory,
    Trip,
    fresh_seed,
    new_path,
    save_stage,
    stage,
)

__all__ = ["Contents", "LoadedOver", "SavedOver", "contents", "explain_saved_over", "load_over", "save_over"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedOver:
    """How a run that has trained and then loaded a checkpoint differs from a fresh one that has.

    Attributes:
        at: Training steps before saving.
        state: Differences right after loading.
        parts_at: The first training step that went another way, if one did.
        refusal: What loading into the run that has trained raised, if it did.
        failure: What the project's code raised before that, if it did.
    """

    at: int
    state: tuple[Mismatch, ...] = ()
    parts_at: int | None = None
    refusal: CallFailed | None = None
    failure: CallFailed | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedOver:
    """What became of a checkpoint that was saved over an earlier one of its run.

    Attributes:
        steps: Training steps before the first save and before the second.
        trip: The checkpoint, loaded into a fresh run that trained on to the end.
        untouched: Whether the second save left everything as the first had written it.
        emptied: Whether it left nothing, as that of a program does that keeps its last checkpoint alone.
        failure: What the project's code raised before the load, if it did.
    """

    steps: tuple[int, int]
    trip: Trip
    untouched: bool = False
    emptied: bool = False
    failure: CallFailed | None = None


def load_over(plan: Plan, directory: Path) -> LoadedOver:
    """Load the first checkpoint after a training step into a fresh run and into one that has trained to the end."""
    at = next((k for k in plan.at if k > 0), plan.at[0])
    try:
        saved = save_on_the_way(replace(plan, steps=at, at=(at,)), directory)
        trained = build(plan.make_run, fresh_seed(at) + 1)
        with stage("step(0) or a later one"):
            trained.train(plan.steps)
        expected = load_into(plan, build(plan.make_run, fresh_seed(at)), saved, at)
    except CallFailed as failure:
        return LoadedOver(at=at, failure=failure)
    try:
        # Nothing trains between the two loads: what follows a run that trains is another check's finding.
        actual = load_into(plan, trained, saved, at)
        state = compare(expected.state, actual.state, traits=False).mismatches
        with stage(f"step({at}) or a later one, after loading into a run that had trained,"):
            records = trained.train(plan.steps)
            other = Trajectory(start=at, records=records, end=capture(trained.components, hidden=False))
        fresh = _resumed(plan, saved, at)
    except CallFailed as refusal:
        return LoadedOver(at=at, refusal=refusal)
    divergence = first_divergence(fresh, other)
    lasting = {mismatch.path for mismatch in compare(fresh.end.state, other.end.state, traits=False)}
    return LoadedOver(
        at=at,
        # A number that training puts right by itself is no loss.
        state=tuple(m for m in state if m.tensor or divergence is not None or m.path in lasting),
        parts_at=None if divergence is None else divergence.step,
    )


def _resumed(plan: Plan, saved: SavedRun, at: int) -> Trajectory:
    run = build(plan.make_run, fresh_seed(at))
    load_into(plan, run, saved, at)
    with stage(f"step({at}) or a later one, after loading,"):
        records = run.train(plan.steps)
    # Numbered from the beginning, as a reference is.
    return Trajectory(start=0, records=[{}] * at + records, end=capture(run.components, hidden=False))


def save_over(plan: Plan, directory: Path, unstable: Sequence[str] = ()) -> SavedOver | None:
    """Save a run twice to one path, training in between, and resume from that; ``None`` if it saves only once."""
    first, second = plan.at[len(plan.at) // 3], plan.at[2 * len(plan.at) // 3]
    if first == second:
        return None
    try:
        saved, before, after = _save_twice(plan, first, second, directory)
    except CallFailed as failure:
        return SavedOver(steps=(first, second), trip=Trip(at=second), failure=failure)
    trip = resume(replace(plan, at=(second,)), saved, second, saved.trajectory, unstable)
    return SavedOver(steps=(first, second), trip=trip, untouched=after == before, emptied=bool(before) and not after)


def explain_saved_over(plan: Plan, steps: tuple[int, int], directory: Path) -> tuple[Mismatch, ...]:
    """Return how a run that loads a checkpoint that was saved over another differs from the one that saved it."""
    first, second = steps
    saved, *_ = _save_twice(replace(plan, steps=second), first, second, directory)
    saved.run.ambient = plan.ambient()
    loaded = build(plan.make_run, fresh_seed(second))
    load_into(plan, loaded, saved, second)
    loaded.ambient = plan.ambient()
    return find_differences(plan, second, saved.run, loaded)


def _save_twice(plan: Plan, first: int, second: int, directory: Path) -> tuple[SavedRun, Contents, Contents]:
    """Save a run over its own checkpoint and train it to the end; return it and what either save left behind."""
    path = new_path(directory, "saved-over", plan.storage)
    run = build(plan.make_run, FIRST_SEED)
    with stage("step(0) or a later one"):
        records = run.train(first)
    with stage(save_stage(first)):
        save_and_wait(plan, run, path)
    before = contents(path.parent)
    with stage(f"step({first}) or a later one"):
        records += run.train(second)
    tree = capture(run.components, hidden=bool(plan.ignore))
    with stage("save(path) over an earlier checkpoint"):
        save_and_wait(plan, run, path)
    written = contents(path.parent)
    after = capture(run.components, hidden=False)
    with stage(f"step({second}) or a later one"):
        records += run.train(plan.steps)
    trajectory = Trajectory(start=0, records=records, end=capture(run.components, hidden=False))
    paths, trees = {second: path}, {second: tree}
    saved = SavedRun(run=run, trajectory=trajectory, trees=trees, paths=paths, after={second: after})
    return saved, before, written


Contents: TypeAlias = dict[str, bytes]


def contents(directory: Path) -> Contents:
    """Return the bytes of every file in a directory."""
    return {str(file): file.read_bytes() for file in sorted(directory.rglob("*")) if file.is_file()}
