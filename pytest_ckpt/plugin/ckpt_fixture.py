"""What a test gets as ``ckpt``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ckpt.check_settings import CheckSettings
from pytest_ckpt.checks import Outcome, Outcomes
from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.errors import CheckpointFailure
from pytest_ckpt.faults import SelfTest
from pytest_ckpt.paths import matches_any
from pytest_ckpt.plugin.by_hand import RESUME, ROUND_TRIP, as_state, resume_by_hand, round_trip_by_hand
from pytest_ckpt.plugin.settings import Settings
from pytest_ckpt.plugin.verdicts import foreign_frames_only, refuse
from pytest_ckpt.reporting import mismatch_lines, report
from pytest_ckpt.running import plan_checks, run_planned
from pytest_ckpt.self_testing import as_outcome, failure_of, selftest
from pytest_ckpt.warm_start import check_warm_start, warm_start_text

if TYPE_CHECKING:
    from pytest_ckpt.plugin.golden_calls import Guard

__all__ = ["CkptFixture"]

_UNDECIDED = ("vacuous", "undecidable", "skipped")


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
        guard: Judges the checkpoints of other versions, and writes what the command line allows.
    """

    # Not repeated above every failure, where pytest shows the arguments of the test.
    settings: Settings = field(repr=False)
    record: Callable[[Outcome], None] = field(repr=False)
    limit: int = field(repr=False)
    per_check: Callable[[Settings], Mapping[str, CheckSettings]] = field(repr=False)
    guard: Guard = field(repr=False)

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
        call = {"formats": format, "steps": steps}
        found = foreign_frames_only(lambda: round_trip_by_hand(make_run, self._settings(**call).of_run(make_run)))
        return self._finish(found, ROUND_TRIP[0])

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
        call = {"formats": format, "steps": steps, "at": at}
        found = foreign_frames_only(lambda: resume_by_hand(make_run, self._settings(**call).of_run(make_run)))
        return self._finish(found, RESUME[0])

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

    def golden(
        self, make_run: Callable[..., Any], name: str, *, mode: str | None = None, at: int = 2, format: str = ""
    ) -> Outcomes:
        """Require that checkpoints of earlier versions of the project are what they were to today's code.

        Today's checkpoint is described and compared with the manifest in ``__checkpoints__/<name>/manifest.json``
        beside the test; checkpoints of the form it had, and those that are kept, are loaded and followed. Nothing is
        written but with ``--ckpt-update`` and ``--ckpt-keep``. See ``docs/guard.md``.

        Args:
            make_run: Makes a fresh run, as for :func:`~pytest_ckpt.check_training_run`.
            name: What to call the run; one directory for each name.
            mode: ``none``, ``backward`` (the default), ``forward`` or ``full``; with ``_transitive`` at the end, all
                that are kept instead of the newest.
            at: Training steps before saving.
            format: The format to save in; by default the run's own save and load.

        Raises:
            CheckpointFailure: If a change breaks someone, or the manifest is missing or behind.
            UsageError: If the call, the manifest or a kept checkpoint cannot be used.
        """
        __tracebackhide__ = True
        guarded = foreign_frames_only(lambda: self.guard(make_run, name, mode, at, format))
        self.record(guarded.outcome)
        return refuse([guarded.outcome], limit=self.limit)

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

    def _check(self, make_run: Any, options: Mapping[str, Any]) -> Outcomes:
        settings = self._settings(**options).of_run(make_run)
        return run_planned(plan_checks(make_run, **settings.given(), per_check=self.per_check(settings)))

    def _differences(self, saved: Any, loaded: Any, ignore: str | Iterable[str] | None) -> tuple[Mismatch, ...]:
        globs = self._settings(ignore=ignore).ignore or ()
        found = compare(*map(as_state, (saved, loaded)))
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
