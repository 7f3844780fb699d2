"""One trip without the catalogue, for runs whose checkpoint is plainly right.

Everything is compared more strictly here than the checks do, so a pass stands. What is not plainly right, and
whatever is raised, is for the checks to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_ckpt.checks import Outcome
from pytest_ckpt.comparison import compare, differ
from pytest_ckpt.runs import LiveRun, MakeRun, Record, as_training_run, build
from pytest_ckpt.runs.carrying import carry_over
from pytest_ckpt.runs.distinct import require_distinct_runs
from pytest_ckpt.runs.shared_state import SharedState
from pytest_ckpt.runs.storage import storage_for
from pytest_ckpt.spine import interrupt, save_and_wait
from pytest_ckpt.state import StateTree, capture, seed_everything
from pytest_ckpt.state.capture import read_component
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

    def plan(self, *, trains_on: bool) -> Plan:
        """Make a run to see what it can do; the plan hands it out as the first of its runs.

        Args:
            trains_on: Whether the loaded run will train, so that globals must be as a new process finds them.
        """
        shared = SharedState(self.make_run) if trains_on else None
        make = self.make_run if shared is None else shared.fresh
        seed_everything(FIRST_SEED)
        first = as_training_run(make())
        made = [first]
        trains = first.step is not None
        return Plan(
            make_run=lambda: made.pop() if made else make(),
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
        plan = trip.plan(trains_on=False)
        (at,) = plan.at
        run = build(plan.make_run, FIRST_SEED)
        run.train(at)
        saved = capture(run.components, hidden=bool(plan.ignore))
        path = directory / f"checkpoint{plan.storage.suffix}"
        save_and_wait(plan, run, path)
        expected = _predict(run)
        fresh = build(plan.make_run, fresh_seed(at))
        require_distinct_runs(run, fresh)
        exercised = _is_another(saved, fresh.components) and _differ_or_absent(expected, _predict(fresh))
        plan.load(fresh, path)
        carry_over(fresh, saved, plan.ignore)
        if not exercised or _differs(saved, capture(fresh.components, hidden=False)):
            return []
        if compare(expected, _predict(fresh), traits=False):
            return []
    predicted = ["outputs_are_restored"] if expected is not None else []
    checks = ["state_is_restored", "traits_are_restored", *predicted]
    return [Outcome(check=check, status="pass", format=plan.storage.name) for check in checks]


def quick_resume(trip: QuickTrip) -> list[Outcome]:
    """Save on the way, resume from each checkpoint; return a pass if nothing differs anywhere, else nothing."""
    with workspace() as directory:
        plan = trip.plan(trains_on=True)
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
    return any(differ(saved.raw[name], read_component(name, components[name]), traits=False) for name in names)


def _differ_or_absent(expected: Any, untrained: Any) -> bool:
    return expected is None or bool(compare(expected, untrained, traits=False))


def _differs(saved: StateTree, loaded: StateTree) -> bool:
    parts = ((getattr(saved, name), getattr(loaded, name)) for name in ("state", "traits", "sharing"))
    return any(differ(expected, actual) for expected, actual in parts)


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
