"""``check_training_run()``: the catalogue applied to one run."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, cast

from pytest_ckpt.checks import Check, Evidence, Outcome, Outcomes, select_checks
from pytest_ckpt.errors import CheckpointFailure, MissingDependencyError, UsageError
from pytest_ckpt.expectations import Expected, apply_expectation, read_expectations
from pytest_ckpt.reporting import report
from pytest_ckpt.runs import MakeRun, build, isolated, require_factory
from pytest_ckpt.runs.shared_state import SharedState
from pytest_ckpt.runs.storage import storage_for
from pytest_ckpt.trips import FIRST_SEED, Plan

__all__ = ["PlannedCheck", "check_training_run", "plan_checks"]


def check_training_run(
    make_run: MakeRun,
    *,
    steps: int = 6,
    at: Iterable[int] | None = None,
    select: Iterable[str] = ("default",),
    ignore: Iterable[str] = (),
    formats: Iterable[str] | None = None,
    devices: Iterable[str] | None = None,
    expected_failures: Mapping[str, Any] | None = None,
    raise_on_failure: bool = True,
) -> Outcomes:
    """Check that a run stopped at any step and started again from its checkpoint is the same run.

    Args:
        make_run: Makes a fresh run: a :class:`~pytest_ckpt.TrainingRun`, a module, a mapping of name to
            stateful object, or an object with stateful attributes. Called about ten times.
        steps: Training steps of the uninterrupted run.
        at: The steps to save after and to resume from; default: all from 0 to ``steps - 1``. A program that
            only saves at the end of an epoch says so here.
        select: Check names, group names, ``default``, ``all``, and globs.
        ignore: Globs of paths that the project chooses not to restore, such as ``rng.*`` or
            ``model.backbone.*``. They are carried over from the saved run, and the report says so.
        formats: Formats to try; ``own`` is the run's own save and load. Default: ``own`` where the run has
            them, else ``torch``.
        devices: Devices to make the run on; ``make_run`` is called with each as its parameter ``device``.
        expected_failures: Check name to the reason why its failure is accepted, or to a mapping with
            ``reason`` and ``until`` (a date). An unexpected pass is a failure.
        raise_on_failure: Whether a failure raises.

    Raises:
        CheckpointFailure: If a check fails; its text is the report, its ``outcomes`` are the data.
        UsageError: If the call or the run cannot be used as given.
    """
    __tracebackhide__ = True  # In a test, pytest shows the line that called and the report.
    planned = plan_checks(
        make_run,
        steps=steps,
        at=at,
        select=select,
        ignore=ignore,
        formats=formats,
        devices=devices,
        expected_failures=expected_failures,
    )
    items = tuple(item.run() for item in planned)
    outcomes = Outcomes(items=items, name=planned[0].subject.name if planned else "")
    if raise_on_failure and outcomes.failures:
        raise CheckpointFailure(report(outcomes), outcomes)
    return outcomes


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedCheck:
    """One check of one run in one format on one device, not run yet.

    Attributes:
        check: The check.
        format: The format asked for; empty for the run's own way.
        device: The device asked for; empty for the run's own choice.
        subject: The runs behind it, shared with the other checks of the same call.
        expected: The failure that the project expects, if it does.
    """

    check: Check
    format: str
    device: str
    subject: _Subject
    expected: Expected | None = None

    @property
    def name(self) -> str:
        """The check's name."""
        return self.check.name

    @property
    def id(self) -> str:
        """The check's name, its format and its device, as a test id."""
        return "-".join(part for part in (self.check.name, self.format, self.device) if part)

    def run(self) -> Outcome:
        """Run the check and judge it against what the project expects.

        Raises:
            UsageError: If the run cannot be used.
        """
        return apply_expectation(self.subject.judge(self.check), self.expected)


def plan_checks(
    make_run: MakeRun,
    *,
    steps: int = 6,
    at: Iterable[int] | None = None,
    select: Iterable[str] = ("default",),
    ignore: Iterable[str] = (),
    formats: Iterable[str] | None = None,
    devices: Iterable[str] | None = None,
    expected_failures: Mapping[str, Any] | None = None,
) -> list[PlannedCheck]:
    """Return the checks that :func:`check_training_run` would run, without calling ``make_run``.

    Raises:
        UsageError: If an option makes no sense.
    """
    points = _resume_points(steps, at)
    expected = read_expectations(expected_failures)
    names = [formats] if isinstance(formats, str) else list(formats) if formats is not None else [""]
    globs = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    planned = []
    for device in _devices(make_run, devices):
        made_on = partial(cast(Any, make_run), device=device) if device else make_run
        for name in names:
            subject = _Subject(made_on, steps=steps, at=points, ignore=globs, format=name, device=device)
            planned += [
                PlannedCheck(check=item, format=name, device=device, subject=subject, expected=expected.get(item.name))
                for item in select_checks(select)
            ]
    return planned


def _resume_points(steps: Any, at: Any) -> tuple[int, ...]:
    if not isinstance(steps, int) or steps < 1:
        raise UsageError(f"steps={steps!r}; it is the number of training steps, at least 1.")
    wanted = range(steps) if at is None else [at] if isinstance(at, int) else list(at)
    points = tuple(sorted(set(wanted)))
    if not points or any(not isinstance(k, int) or not 0 <= k < steps for k in points):
        raise UsageError(
            f"at={list(points)!r} with steps={steps}: the steps to save after and resume from lie between 0 and "
            f"{steps - 1}, so that at least one step is left to train."
        )
    return points


def _devices(make_run: MakeRun, devices: Iterable[str] | None) -> list[str]:
    if devices is None:
        return [""]
    names = [devices] if isinstance(devices, str) else list(devices)
    if "device" not in inspect.signature(make_run).parameters:
        raise UsageError(f"devices={names!r}, but make_run has no parameter 'device' to be called with.")
    return names


class _Subject:
    """A run to be checked; its evidence is gathered when the first check asks for it.

    Attributes:
        name: The run's own name once it was made, before that the factory's.
    """

    def __init__(
        self,
        make_run: MakeRun,
        *,
        steps: int,
        at: tuple[int, ...],
        ignore: tuple[str, ...],
        format: str,
        device: str,
    ) -> None:
        self._make_run, self._steps, self._at = make_run, steps, at
        self._ignore, self._format, self._device = ignore, format, device
        factory = getattr(make_run, "func", make_run)
        self.name = str(getattr(factory, "__qualname__", type(factory).__qualname__))

    def judge(self, check: Check) -> Outcome:
        try:
            evidence = self._evidence
        except MissingDependencyError as error:
            return self._skipped(check, str(error))
        if evidence.refusal is not None:
            return self._skipped(check, evidence.refusal)
        return check.run(evidence)

    def _skipped(self, check: Check, reason: str) -> Outcome:
        return Outcome(check=check.name, status="skipped", summary=reason, format=self._format, device=self._device)

    @cached_property
    def _evidence(self) -> Evidence:
        require_factory(self._make_run)
        with isolated():
            shared = SharedState(self._make_run)
            run = build(shared.fresh, FIRST_SEED)
            components = run.components
        if not components:
            raise UsageError("The run has no components; name at least one stateful object.")
        self.name = run.definition.name or self.name
        trains = run.definition.step is not None
        plan = Plan(
            make_run=shared.fresh,
            steps=self._steps if trains else 0,
            at=self._at if trains else (0,),
            storage=storage_for(run, self._format),
            ignore=self._ignore,
            shared=shared,
        )
        return Evidence(plan, self._device or str(run.definition.device or ""))
