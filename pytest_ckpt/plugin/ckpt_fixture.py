"""What a test gets as ``ckpt``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_ckpt.check_settings import CheckSettings
from pytest_ckpt.checks import Outcome, Outcomes
from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.errors import CheckpointFailure, UsageError
from pytest_ckpt.faults import SelfTest
from pytest_ckpt.plugin.quick_trips import QuickTrip, if_plainly_right, quick_resume, quick_round_trip
from pytest_ckpt.plugin.settings import Settings
from pytest_ckpt.plugin.verdicts import foreign_frames_only, refuse
from pytest_ckpt.reporting import mismatch_lines, report
from pytest_ckpt.running import PlannedCheck, plan_checks, run_planned
from pytest_ckpt.self_testing import as_outcome, failure_of, selftest
from pytest_ckpt.state import StateTree, capture, is_stateful
from pytest_ckpt.state.paths import matches_any
from pytest_ckpt.warm_start import check_warm_start, warm_start_text

__all__ = ["CkptFixture"]

_ROUND_TRIP = ("state_is_restored", "traits_are_restored", "outputs_are_restored")
_RESUME = ("resume_is_exact", "state_is_restored")
_UNDECIDED = ("vacuous", "undecidable", "skipped")
_STEPS = 6
# After one step an optimizer has momentum; after two, what is done every other step has been done.
_STEPS_BEFORE_SAVING = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class CkptFixture:
    """Saves, loads, resumes and compares training runs inside a test.

    What a call leaves open comes from ``@pytest.mark.ckpt``, the command line or the ini file. Where those ask
    for several formats or devices, each is tried.

    Attributes:
        settings: What they ask for.
        record: Takes each outcome, for the report of the test.
        limit: How many mismatches to show; 0 shows all.
        per_check: Returns what the project settles for single checks and some settings leave open.
    """

    # Not repeated above every failure, where pytest shows the arguments of the test.
    settings: Settings = field(repr=False)
    record: Callable[[Outcome], None] = field(repr=False)
    limit: int = field(repr=False)
    per_check: Callable[[Settings], Mapping[str, CheckSettings]] = field(repr=False)

    def round_trip(
        self, make_run: Callable[..., Any], *, format: str | None = None, steps: int | None = None
    ) -> Outcomes:
        """Train, save once, load once into a fresh run, and require the same state, tensors and prediction.

        A run that has nothing to lose, or that the format cannot keep, skips the test with the reason.

        Args:
            make_run: Makes a fresh run, as for :func:`~pytest_ckpt.check_training_run`.
            format: The format to save in; ``own``, or no format: the run's own save and load.
            steps: Training steps before saving; default: 2.

        Raises:
            CheckpointFailure: If something was lost; its text is the report.
            UsageError: If the call or the run cannot be used.
        """
        __tracebackhide__ = True
        return self._finish(foreign_frames_only(lambda: self._round_trip(make_run, format, steps)), _ROUND_TRIP[0])

    def resume(
        self,
        make_run: Callable[..., Any],
        *,
        at: int | Iterable[int] | None = None,
        steps: int | None = None,
        format: str | None = None,
    ) -> Outcomes:
        """Require that a run stopped after ``at`` steps and resumed is the run that never stopped.

        A run whose training does not repeat, or does not move, skips the test with the reason.

        Args:
            make_run: Makes a fresh run, as for :func:`~pytest_ckpt.check_training_run`.
            at: The steps to save after and to resume from; default: all from 0 to ``steps - 1``.
            steps: Training steps of the uninterrupted run; default: 6.
            format: The format to save in; ``own``, or no format: the run's own save and load.

        Raises:
            CheckpointFailure: If a resumed run differs; its text is the report.
            UsageError: If the call or the run cannot be used.
        """
        __tracebackhide__ = True
        return self._finish(foreign_frames_only(lambda: self._resume(make_run, at, steps, format)), _RESUME[0])

    def check(self, make_run: Callable[..., Any], *, raise_on_failure: bool = True, **options: Any) -> Outcomes:
        """Do as :func:`~pytest_ckpt.check_training_run`, with the settings of the test and of single checks.

        Raises:
            CheckpointFailure: If a check fails; its text is the report.
            UsageError: If the call or the run cannot be used.
        """
        __tracebackhide__ = True
        outcomes = foreign_frames_only(lambda: self._check(make_run, options))
        self._record(outcomes)
        if raise_on_failure and outcomes.failures:
            raise CheckpointFailure(report(outcomes, limit=self.limit), outcomes)
        return outcomes

    def warm_start(
        self, make_run: Callable[..., Any], path: str | Path, *, raise_on_failure: bool = True, **options: Any
    ) -> Outcomes:
        """Call :func:`~pytest_ckpt.check_warm_start`; a load that shows nothing skips the test with the reason.

        Raises:
            CheckpointFailure: If something else was loaded or left; its text says what.
            UsageError: If the run has no ``load``, or the checkpoint cannot be read.
        """
        __tracebackhide__ = True
        outcomes = foreign_frames_only(lambda: check_warm_start(make_run, path, raise_on_failure=False, **options))
        self._record(outcomes)
        if raise_on_failure and outcomes.failures:
            raise CheckpointFailure(warm_start_text(outcomes), outcomes)
        if outcomes["warm_start"].status == "vacuous":
            pytest.skip(f"vacuous: {outcomes['warm_start'].summary}")
        return outcomes

    def selftest(self, make_run: Callable[..., Any], *, raise_on_failure: bool = True, **options: Any) -> SelfTest:
        """Call :func:`~pytest_ckpt.selftest` with the settings of the test, formats and devices aside.

        Raises:
            CheckpointFailure: If no check sees a fault; its text is the report.
            UsageError: If the call or the run cannot be used.
        """
        __tracebackhide__ = True
        given = {**replace(self.settings, formats=None, devices=None).given(), **options}
        result = foreign_frames_only(lambda: selftest(make_run, raise_on_failure=False, **given))
        self._record(as_outcome(injection) for injection in result)
        if raise_on_failure and result.failed:
            raise failure_of(result)
        return result

    def compare(self, saved: Any, loaded: Any, *, ignore: str | Iterable[str] | None = None) -> None:
        """Require that two states are the same, bit for bit.

        Args:
            saved: A state dict, any nested containers of tensors and numbers, a stateful object, or what
                :func:`~pytest_ckpt.capture` returned.
            loaded: The same after loading.
            ignore: Globs of paths that may differ.

        Raises:
            CheckpointFailure: If they differ; its text says where, with both values.
        """
        __tracebackhide__ = True
        mismatches = foreign_frames_only(lambda: self._differences(saved, loaded, ignore))
        if mismatches:
            places = "one place" if len(mismatches) == 1 else f"{len(mismatches)} places"
            summary = f"The loaded state is not the saved one, in {places}."
            causes = tuple(mismatch.path for mismatch in mismatches)
            outcome = Outcome(check="compare", status="fail", summary=summary, mismatches=mismatches, causes=causes)
            self.record(outcome)
            text = "\n".join([summary, *mismatch_lines(mismatches, limit=self.limit)])
            raise CheckpointFailure(text, Outcomes(items=(outcome,)))

    def _round_trip(self, make_run: Any, format: str | None, steps: int | None) -> list[Outcome]:
        settings = self._settings(formats=format, steps=steps).of_run(make_run)
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
            planned = _plan(make_run, settings, name, device, select=_ROUND_TRIP, steps=before + 2, at=(before,))
            found += [item.run() for item in planned.values()]
        return found

    def _resume(self, make_run: Any, at: Any, steps: int | None, format: str | None) -> list[Outcome]:
        settings = self._settings(formats=format, steps=steps, at=at).of_run(make_run)
        found = []
        for name, device in settings.places:
            planned = _plan(make_run, settings, name, device, select=_RESUME)
            total = settings.steps or _STEPS
            points = settings.at or tuple(range(total))
            trip = QuickTrip(make_run=make_run, format=name, steps=total, at=points, ignore=settings.ignore or ())
            found += _quickly(quick_resume, trip, settings) or _judge_resume(planned)
        return found

    def _check(self, make_run: Any, options: Mapping[str, Any]) -> Outcomes:
        settings = self._settings(**options).of_run(make_run)
        return run_planned(plan_checks(make_run, **settings.given(), per_check=self.per_check(settings)))

    def _differences(self, saved: Any, loaded: Any, ignore: str | Iterable[str] | None) -> tuple[Mismatch, ...]:
        globs = self._settings(ignore=ignore).ignore or ()
        found = compare(*map(_as_state, (saved, loaded)))
        return tuple(mismatch for mismatch in found if not matches_any(mismatch.path, globs))

    def _settings(self, **call: Any) -> Settings:
        given = {name: value for name, value in call.items() if value is not None}
        return Settings.read(given).over(self.settings)

    def _record(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self.record(outcome)

    def _finish(self, found: list[Outcome], deciding: str) -> Outcomes:
        """Raise if a check failed, and skip the test if the one that matters could not tell."""
        __tracebackhide__ = True
        self._record(found)
        outcomes = refuse(found, limit=self.limit)
        undecided = [outcome for outcome in found if outcome.check == deciding and outcome.status in _UNDECIDED]
        if len(undecided) == sum(outcome.check == deciding for outcome in found):
            pytest.skip(f"{undecided[0].status}: {undecided[0].summary}")
        return outcomes


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


def _as_state(value: Any) -> Any:
    if is_stateful(value):
        return capture(value, hidden=False)
    # So that each path has a name to begin with.
    return value if isinstance(value, Mapping | StateTree) else {"state": value}
