"""One trip without the catalogue, for runs whose checkpoint is plainly right.

Everything is compared more strictly here than the checks do, so a pass stands. What is not plainly right, and
whatever is raised, is for the checks to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_ckpt.checks import Outcome
from pytest_ckpt.comparison import compare, differ
from pytest_ckpt.runs import LiveRun, MakeRun, Record, as_training_run, build
from pytest_ckpt.runs.background import BackgroundSaves
from pytest_ckpt.runs.carrying import carry_over
from pytest_ckpt.runs.distinct import require_distinct_runs
from pytest_ckpt.runs.shared_state import SharedState
from pytest_ckpt.runs.storage import Storage, storage_for
from pytest_ckpt.spine import interrupt
from pytest_ckpt.state import StateTree, capture, freeze, seed_everything
from pytest_ckpt.state.capture import live_state, view
from pytest_ckpt.trips import FIRST_SEED, Plan, Trip, fresh_seed, workspace

__all__ = ["QuickTrip", "if_plainly_right", "quick_resume", "quick_round_trip"]


@dataclass(frozen=True, kw_only=True, slots=True)
class QuickTrip:
    """What a trip is made of.

    Attributes:
        make_run: Makes a fresh run.
        format: The format asked for; empty for the run's own way.
        steps: Training steps of the uninterrupted run.
        at: The steps to save after.
        ignore: Globs of paths that are carried over instead of being loaded.
    """

    make_run: MakeRun
    format: str
    steps: int
    at: tuple[int, ...]
    ignore: tuple[str, ...]

    def plan(self) -> Plan:
        """Make a run to see what it can do; the plan hands it out as the first of its runs."""
        shared = SharedState(self.make_run)  # the loaded run finds globals as a new process does
        seed_everything(FIRST_SEED)
        first = as_training_run(shared.fresh())
        made = [first]
        trains = first.step is not None
        return Plan(
            make_run=lambda: made.pop() if made else shared.fresh(),
            steps=self.steps if trains else 0,
            at=self.at if trains else (0,),
            storage=storage_for(LiveRun(first), self.format),
            ignore=self.ignore,
            # Not told what the runs share, it puts back even a global in which a program keeps its checkpoints.
            # That makes such a program fail here, and the checks pass it.
        )


def quick_round_trip(trip: QuickTrip) -> list[Outcome]:
    """Save once, load once into a fresh run; return passes if all of it is the same, else nothing."""
    with workspace() as directory:
        run = build(trip.make_run, FIRST_SEED)
        storage = storage_for(run, trip.format)
        at = 0 if run.definition.step is None else trip.steps
        run.train(at)
        saved = capture(run.components, hidden=bool(trip.ignore))
        path = directory / f"checkpoint{storage.suffix}"
        _save(storage, run, path)
        expected = _predict(run)
        fresh = build(trip.make_run, fresh_seed(at))
        require_distinct_runs(run, fresh)
        exercised = _is_another(saved, fresh.components) and _differ_or_absent(expected, _predict(fresh))
        storage.load(fresh, path)
        carry_over(fresh, saved, trip.ignore)
        if not exercised or _differs(saved, fresh.components):
            return []
        if compare(expected, _predict(fresh), traits=False):
            return []
    predicted = ["outputs_are_restored"] if expected is not None else []
    checks = ["state_is_restored", "traits_are_restored", *predicted]
    return [Outcome(check=check, status="pass", format=storage.name) for check in checks]


def _save(storage: Storage, run: LiveRun, path: Path) -> None:
    """Save a run; only the project's own code may go on writing when it returns."""
    if storage.form is not None:
        storage.save(run, path)
        return
    background = BackgroundSaves()
    with background.watching():
        storage.save(run, path)
    background.wait(path.parent)


def quick_resume(trip: QuickTrip) -> list[Outcome]:
    """Save on the way, resume from each checkpoint; return a pass if nothing differs anywhere, else nothing."""
    with workspace() as directory:
        plan = trip.plan()
        found = interrupt(plan, directory)
    saving = found.saving
    exact = saving is not None and _moves(saving.records) and all(_is_exact(trip) for trip in found.trips)
    return [Outcome(check="resume_is_exact", status="pass", format=plan.storage.name)] if exact else []


def if_plainly_right(quick: Callable[[QuickTrip], list[Outcome]], trip: QuickTrip) -> list[Outcome]:
    """Return what a quick trip found; nothing if it raised, since that will raise again before the checks."""
    try:
        return quick(trip)
    except Exception:
        return []


def _is_another(saved: StateTree, components: Mapping[str, Any]) -> bool:
    """Whether a fresh run is not the saved one already; one component that differs will do, the models last."""
    names = sorted(saved.raw, key=lambda name: hasattr(components[name], "forward"))
    return any(differ(saved.raw[name], live_state(name, components[name]), traits=False) for name in names)


def _differ_or_absent(expected: Any, untrained: Any) -> bool:
    return expected is None or bool(compare(expected, untrained, traits=False))


def _differs(saved: StateTree, components: Mapping[str, Any]) -> bool:
    """Whether a run is not as it was saved; nothing is copied where its live values are the same already."""
    loaded = view(components)
    if (saved.traits, saved.sharing) != (loaded.traits, loaded.sharing):
        return True
    return differ(saved.state, loaded.state) and differ(saved.state, freeze(loaded.state))


def _moves(records: list[Record]) -> bool:
    """Whether results change. If they do not, the check has to look at the state."""
    return any(compare(records[0], record, traits=False) for record in records[1:])


def _is_exact(trip: Trip) -> bool:
    differences = (trip.restored, trip.volatile, trip.lasting, trip.end)
    return trip.failure is None and trip.divergence is None and not any(differences)


def _predict(run: LiveRun) -> Any:
    if run.definition.predict is None:
        return None
    seed_everything(FIRST_SEED)
    return run.predict()
