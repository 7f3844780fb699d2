"""What is done in a new process: called there by name, with what was packed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_ckpt.comparison import compare
from pytest_ckpt.diagnosis import picture
from pytest_ckpt.formats import Format, get_format
from pytest_ckpt.generations import predict_seeded
from pytest_ckpt.launchers import decode
from pytest_ckpt.runs import LiveRun, MakeRun, Record, build
from pytest_ckpt.runs.carrying import carry_over
from pytest_ckpt.runs.following import component_paths, follow_paths
from pytest_ckpt.runs.storage import OWN, Storage, format_storage, own_storage
from pytest_ckpt.spine import save_on_the_way, uninterrupted
from pytest_ckpt.state import StateTree, capture
from pytest_ckpt.trips import FIRST_SEED, CallFailed, Plan, Trajectory, fresh_seed, stage, workspace

__all__ = [
    "Failure",
    "Loaded",
    "Luggage",
    "SavedThere",
    "Trained",
    "picture_run",
    "predict_run",
    "resume_run",
    "save_run",
    "train_run",
]

Luggage = tuple[MakeRun, Format | None]
"""What the tasks are called with: ``make_run``, and the format where it is not one of this package."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """What the project's code raised there.

    Attributes:
        text: What a :class:`~pytest_ckpt.trips.CallFailed` says.
        stage: What was being done.
        where: The last lines of the traceback.
        missing: The file that was not found, as it was asked for; empty if it was another error.
    """

    text: str
    stage: str
    where: tuple[str, ...]
    missing: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A checkpoint, loaded into a new run that trained on to the end.

    Attributes:
        state: Right after loading.
        volatile: Paths that changed while nothing happened.
        records: One per training step.
        end: At the end.
        failure: What the project's code raised, if it did.
    """

    state: dict[str, Any] = field(default_factory=dict)
    volatile: tuple[str, ...] = ()
    records: list[Record] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """A run that never stopped."""

    trajectory: Trajectory | None = None
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedThere:
    """A run that saved on its way, in the same process for all of it."""

    tree: StateTree | None = None
    after: StateTree | None = None
    trajectory: Trajectory | None = None
    failure: Failure | None = None


def train_run(luggage: Luggage, *, terms: Mapping[str, Any]) -> Trained:
    """Train a run that never stops."""
    plan = _plan(luggage, terms, 0)
    try:
        with workspace():
            return Trained(trajectory=uninterrupted(plan))
    except Exception as error:
        return Trained(failure=_failure("training there", error))


def save_run(luggage: Luggage, *, terms: Mapping[str, Any], at: int, folder: str) -> SavedThere:
    """Train a run that saves once, in ``folder``."""
    plan = _plan(luggage, terms, at)
    try:
        with workspace():
            saved = save_on_the_way(plan, Path(folder))
    except Exception as error:
        return SavedThere(failure=_failure("training and saving there", error))
    return SavedThere(tree=saved.trees[at], after=saved.after[at], trajectory=saved.trajectory)


def resume_run(
    luggage: Luggage, *, terms: Mapping[str, Any], at: int, path: str, saved: bytes | None, follow: bool
) -> Loaded:
    """Load a checkpoint into a new run and train it to the end.

    Args:
        luggage: What was packed.
        terms: Of the plan: ``steps``, ``storage``, ``ignore``.
        at: The step the checkpoint was saved after.
        path: The checkpoint.
        saved: The encoded state it was saved from, where some of it is carried over.
        follow: Whether to look for components that ``load`` has replaced.
    """
    plan = _plan(luggage, terms, at)
    with workspace():
        try:
            run = build(plan.make_run, fresh_seed(at))
            before = component_paths(run) if follow else {}
        except Exception as error:
            return Loaded(failure=_failure("make_run()", error))
        try:
            state = _load(plan, run, Path(path), at, saved, before)
            again = capture(run.components, hidden=False).state
            volatile = tuple(mismatch.path for mismatch in compare(state, again, traits=False))
            with stage(f"step({at}) or a later one, after loading,"):
                records = run.train(plan.steps)
                end = capture(run.components, hidden=False).state
        except Exception as error:
            return Loaded(failure=_failure("reading the state", error))
        return Loaded(state=state, volatile=volatile, records=records, end=end)


def predict_run(luggage: Luggage, *, terms: Mapping[str, Any], at: int, path: str, saved: bytes | None) -> Any:
    """Load a checkpoint into a new run, or train one without if there is no path, and return what it predicts."""
    plan = _plan(luggage, terms, at)
    with workspace():
        run = build(plan.make_run, fresh_seed(at) if path else FIRST_SEED)
        if path:
            _load(plan, run, Path(path), at, saved, {})
        else:
            run.train(at)
        return predict_seeded(run)


def picture_run(luggage: Luggage, *, terms: Mapping[str, Any], at: int, path: str, saved: bytes | None) -> Any:
    """Load a checkpoint into a new run and return a picture of all it is made of."""
    plan = _plan(luggage, terms, at)
    with workspace():
        run = build(plan.make_run, fresh_seed(at))
        _load(plan, run, Path(path), at, saved, {})
        return picture(run)


def _load(
    plan: Plan, run: LiveRun, path: Path, at: int, saved: bytes | None, before: Mapping[str, str]
) -> dict[str, Any]:
    with stage("load(path)"):
        plan.load(run, path)
        if saved is not None:
            carry_over(run, decode(saved), plan.ignore)
        run.steps_done = at
        if before:
            follow_paths(run, before)
        return capture(run.components, hidden=False).state


def _plan(luggage: Luggage, terms: Mapping[str, Any], at: int) -> Plan:
    make_run, form = luggage
    name = terms["storage"]
    storage: Storage = own_storage() if name == OWN else format_storage(form or get_format(name))
    return Plan(make_run=make_run, steps=terms["steps"], at=(at,), storage=storage, ignore=tuple(terms["ignore"]))


def _failure(what: str, error: Exception) -> Failure:
    failed = error if isinstance(error, CallFailed) else CallFailed(what, error)
    cause = error.__cause__ if isinstance(error, CallFailed) else error
    missing = cause.filename if isinstance(cause, FileNotFoundError) else None
    return Failure(text=str(failed), stage=failed.stage, where=failed.where, missing=str(missing or ""))
