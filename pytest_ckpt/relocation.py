"""A checkpoint of one machine, loaded on another: the spine, with a world for each end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.devices.placement import Misplaced, audit_placement, placements
from pytest_ckpt.devices.worlds import World, world
from pytest_ckpt.paths import matches_any
from pytest_ckpt.runs import LiveRun, MakeRun, build
from pytest_ckpt.runs.carrying import carry_over
from pytest_ckpt.runs.shared_state import SharedState
from pytest_ckpt.runs.storage import storage_for
from pytest_ckpt.spine import first_divergence, save_on_the_way
from pytest_ckpt.state import StateTree, capture
from pytest_ckpt.trips import (
    FIRST_SEED,
    CallFailed,
    Divergence,
    Plan,
    SavedRun,
    Trajectory,
    fresh_seed,
    stage,
    workspace,
)

__all__ = ["Place", "Relocation", "plan_there", "relocate"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a run is made.

    Attributes:
        device: What ``make_run`` is called with, such as ``"cuda:1"``.
        count: Devices of that kind on the machine; default: as :func:`~pytest_ckpt.devices.world` has it.
    """

    device: str
    count: int | None = None

    def __str__(self) -> str:
        return f"{self.device} of {self.count}" if self.count else self.device


@dataclass(frozen=True, kw_only=True, slots=True)
class Relocation:
    """What became of one checkpoint that was loaded in another place, or in the same one. Strings and numbers only.

    Attributes:
        source: Where it was saved, as reports call it.
        target: Where it was loaded, likewise.
        unable: Why nothing can be said: the program does not train there even without a checkpoint.
        idle: A device that no tensor was on, though the run was made for it.
        unsimulated: Why a device was not simulated, so that only the locations in the file were its; else empty.
        failure: What the project's code raised while it saved, loaded or trained on.
        restored: How the loaded state differs from the saved one, devices aside.
        misplaced: Tensors that are not where a run that trained there from the start has them.
        divergence: The first step that went another way; only looked for where source and target are the same.
    """

    source: str
    target: str
    unable: str = ""
    idle: str = ""
    unsimulated: str = ""
    failure: CallFailed | None = None
    restored: tuple[Mismatch, ...] = ()
    misplaced: tuple[Misplaced, ...] = ()
    divergence: Divergence | None = None

    @property
    def wrong(self) -> bool:
        """Whether anything was lost or left in the wrong place."""
        return bool(self.failure or self.restored or self.misplaced or self.divergence)


@dataclass(kw_only=True, slots=True)
class _Native:
    """What a run that never stopped did in the target place.

    Attributes:
        trajectory: The steps it took.
        places: Where its tensors were after as many steps as the checkpoint has.
    """

    trajectory: Trajectory
    places: dict[str, str]


@dataclass(kw_only=True, slots=True)
class _Saved:
    """What a run that saved on its way did, and where its tensors were at the end."""

    saved: SavedRun
    places: dict[str, str]


@dataclass(kw_only=True, slots=True)
class _Loaded:
    """What a fresh run was after the load, and did then; filled as far as it got."""

    tree: StateTree | None = None
    misplaced: tuple[Misplaced, ...] = ()
    trajectory: Trajectory | None = None
    failure: CallFailed | None = field(default=None)


def relocate(
    make_run: Callable[..., Any],
    source: Place,
    target: Place,
    *,
    steps: int = 4,
    at: int = 2,
    format: str = "",
    ignore: tuple[str, ...] = (),
) -> Relocation:
    """Save a run in one place, load it in another and train on there.

    Args:
        make_run: Makes a run; called with the place's device as its parameter ``device``.
        source: Where the run trains and saves.
        target: Where a fresh run loads and trains on.
        steps: Training steps of the uninterrupted run.
        at: The step to save after.
        format: The format to save in; empty for the run's own way.
        ignore: Globs of paths that need not be restored. They are carried over where source and target are the same.
    """
    planned = partial(plan_there, make_run, steps=steps, at=at, format=format, ignore=ignore)
    with workspace() as directory:
        saved, before = _in_world(source, partial(_save, planned, directory))
        if isinstance(saved, CallFailed):
            unable = f"the run does not train on {before.name}: {saved}" if saved.stage.startswith("step") else ""
            failure = None if unable else saved
            return Relocation(source=before.name, target=str(target), unable=unable, failure=failure)
        (native, loaded), after = _in_world(target, partial(_load, planned, at, saved, source == target))
        names: Any = {"source": before.name, "target": after.name, "unsimulated": before.reason or after.reason}
        if isinstance(native, CallFailed):
            return Relocation(**names, unable=f"the run does not train on {after.name}: {native}")
        return Relocation(
            **names,
            idle=_idle(source, saved.places) or _idle(target, native.places),
            failure=loaded.failure,
            misplaced=tuple(item for item in loaded.misplaced if not matches_any(item.path, ignore)),
            # Outside of both worlds: all tensors are on the CPU here, and only their values are compared.
            restored=_lost(saved.saved.trees[at], loaded.tree, ignore),
            divergence=_parting(saved.saved, native, loaded) if source == target else None,
        )


def _in_world(place: Place, function: Callable[[World], Any]) -> tuple[Any, World]:
    with world(place.device, count=place.count) as here:
        return function(here), here


def plan_there(
    make_run: Callable[..., Any], here: World, *, steps: int, at: int, format: str = "", ignore: tuple[str, ...] = ()
) -> Plan:
    """Plan a run that is made in the world one is in, and saved once."""
    made: MakeRun = partial(make_run, device=here.runs_on)
    shared = SharedState(made)
    storage = storage_for(build(shared.fresh, FIRST_SEED), format)
    return Plan(make_run=shared.fresh, steps=steps, at=(at,), storage=storage, ignore=ignore, shared=shared)


def _save(planned: Callable[[World], Plan], directory: Path, here: World) -> _Saved | CallFailed:
    try:
        with stage("step"):
            plan = planned(here)
        saved = save_on_the_way(plan, directory)
    except CallFailed as failure:
        return failure
    return _Saved(saved=saved, places=placements(saved.run.components, _functions(saved.run)))


def _load(
    planned: Callable[[World], Plan], at: int, source: _Saved, at_home: bool, here: World
) -> tuple[_Native | CallFailed, _Loaded]:
    loaded = _Loaded()
    try:
        with stage("step"):
            plan = planned(here)
            native = _train_here(plan, at)
    except CallFailed as failure:
        return failure, loaded
    fresh = build(plan.make_run, fresh_seed(at))
    try:
        with stage("load(path)"):
            plan.load(fresh, source.saved.paths[at])
            if at_home:
                carry_over(fresh, source.saved.trees[at], plan.ignore)
            fresh.steps_done = at
            loaded.tree = capture(fresh.components, hidden=False)
        loaded.misplaced = audit_placement(fresh.components, _functions(fresh), before=native.places)
        with stage(f"step({at}) or a later one, after loading,"):
            records = fresh.train(plan.steps)
        end = capture(fresh.components, hidden=False)
        loaded.trajectory = Trajectory(start=at, records=records, end=end)
    except CallFailed as failure:
        loaded.failure = failure
    return native, loaded


def _train_here(plan: Plan, at: int) -> _Native:
    run = build(plan.make_run, FIRST_SEED)
    records = run.train(at)
    places = placements(run.components, _functions(run))
    records += run.train(plan.steps)
    end = capture(run.components, hidden=False)
    return _Native(trajectory=Trajectory(start=0, records=records, end=end), places=places)


def _functions(run: LiveRun) -> dict[str, Callable[..., Any]]:
    found = {name: getattr(run.definition, name) for name in ("step", "save", "load", "predict")}
    return {name: function for name, function in found.items() if function is not None}


def _idle(place: Place, places: dict[str, str]) -> str:
    """Return the device of a place where no tensor is on any device of its kind."""
    kind = place.device.partition(":")[0]
    return "" if any(where.partition(":")[0] == kind for where in places.values()) else place.device


def _lost(saved: StateTree, loaded: StateTree | None, ignore: tuple[str, ...]) -> tuple[Mismatch, ...]:
    found = () if loaded is None else tuple(compare(saved.state, loaded.state, traits=False))
    return tuple(mismatch for mismatch in found if not matches_any(mismatch.path, ignore))


def _parting(saved: SavedRun, native: _Native, loaded: _Loaded) -> Divergence | None:
    """Find the first step that went another way, what differs between two uninterrupted runs aside."""
    if loaded.trajectory is None:
        return None
    again = first_divergence(native.trajectory, saved.trajectory)
    unstable = [] if again is None else [mismatch.path for mismatch in again.mismatches]
    return first_divergence(saved.trajectory, loaded.trajectory, unstable)
