"""Round trips and resumes of a test of one's own: one quick trip, or the checks where that is not plainly right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pytest_ckpt.checks import Outcome
from pytest_ckpt.errors import UsageError
from pytest_ckpt.plugin.quick_trips import QuickTrip, if_plainly_right, quick_resume, quick_round_trip
from pytest_ckpt.plugin.settings import Settings
from pytest_ckpt.running import PlannedCheck, plan_checks
from pytest_ckpt.state import StateTree, capture, is_stateful

__all__ = ["RESUME", "ROUND_TRIP", "as_state", "resume_by_hand", "round_trip_by_hand"]

ROUND_TRIP = ("state_is_restored", "traits_are_restored", "outputs_are_restored")
RESUME = ("resume_is_exact", "state_is_restored")
_STEPS = 6
# After one step an optimizer has momentum; after two, what is done every other step has been done.
_STEPS_BEFORE_SAVING = 2


def round_trip_by_hand(make_run: Any, settings: Settings) -> list[Outcome]:
    """Return what a round trip in each format finds.

    Args:
        make_run: Makes a fresh run.
        settings: What holds for the call; its ``steps`` are those before saving.

    Raises:
        UsageError: If the run or the settings cannot be used.
    """
    before: Any = _STEPS_BEFORE_SAVING if settings.steps is None else settings.steps
    if not isinstance(before, int) or before < 0:
        raise UsageError(f"steps={before!r}; it is the number of training steps before saving, at least 0.")
    found = []
    for name, device in settings.places:
        trip = QuickTrip(make_run=make_run, format=name, steps=before, at=(before,), ignore=settings.ignore or ())
        if passes := _quickly(quick_round_trip, trip, settings):
            found += passes
            continue
        # Two more steps where the checks have to judge: what training puts right by itself is no loss.
        planned = _plan(make_run, settings, name, device, select=ROUND_TRIP, steps=before + 2, at=(before,))
        found += [item.run() for item in planned.values()]
    return found


def resume_by_hand(make_run: Any, settings: Settings) -> list[Outcome]:
    """Return what resuming in each format finds.

    Raises:
        UsageError: If the run or the settings cannot be used.
    """
    found = []
    for name, device in settings.places:
        planned = _plan(make_run, settings, name, device, select=RESUME)
        total = settings.steps or _STEPS
        points = settings.at or tuple(range(total))
        trip = QuickTrip(make_run=make_run, format=name, steps=total, at=points, ignore=settings.ignore or ())
        found += _quickly(quick_resume, trip, settings) or _judge_resume(planned)
    return found


def as_state(value: Any) -> Any:
    """Return what can be compared, with a name for each path to begin with."""
    if is_stateful(value):
        return capture(value, hidden=False)
    return value if isinstance(value, Mapping | StateTree) else {"state": value}


def _plan(make_run: Any, settings: Settings, format: str, device: str, **ours: Any) -> dict[str, PlannedCheck]:
    where: Any = {"formats": (format,) if format else None, "devices": (device,) if device else None}
    options = replace(settings, **where, **ours).given()
    return {item.name: item for item in plan_checks(make_run, **options)}


def _quickly(quick: Callable[[QuickTrip], list[Outcome]], trip: QuickTrip, settings: Settings) -> list[Outcome]:
    # Only the checks know other devices, and whether a failure was expected and a pass therefore was not.
    return [] if settings.expected_failures or settings.devices else if_plainly_right(quick, trip)


def _judge_resume(planned: dict[str, PlannedCheck]) -> list[Outcome]:
    resumed = planned["resume_is_exact"].run()
    if resumed.status != "skipped":
        return [resumed]
    restored = planned["state_is_restored"].run()  # says what is wrong with a checkpoint that cannot be loaded
    return [restored, resumed] if restored.failed else [resumed]
