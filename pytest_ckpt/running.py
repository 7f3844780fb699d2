"""``check_training_run()``: the catalogue applied to one run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, product
from typing import Any

from pytest_ckpt.check_settings import CheckSettings
from pytest_ckpt.checks import Check, Outcome, Outcomes, select_checks
from pytest_ckpt.checks.placement import MOVED_TO
from pytest_ckpt.devices import device_id, is_simulated
from pytest_ckpt.errors import CheckpointFailure, UsageError
from pytest_ckpt.expectations import Expected, apply_expectation, read_expectations
from pytest_ckpt.reporting import report
from pytest_ckpt.runs import MakeRun, takes_device
from pytest_ckpt.subjects import Subject, Terms

__all__ = ["PlannedCheck", "check_training_run", "plan_checks", "run_planned"]


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
    explain: bool = True,
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
        devices: Devices to make the run on; ``make_run`` is called with each as its parameter ``device``. One of the
            kinds cuda, mps and xpu that is not there is simulated: see :func:`pytest_ckpt.devices.world`.
        expected_failures: Check name to the reason why its failure is accepted, or to a mapping with
            ``reason`` and ``until`` (a date). An unexpected pass is a failure.
        raise_on_failure: Whether a failure raises.
        explain: Whether to find out what a failure is to blame on, which takes many times as long as the verdict.
            With ``False`` the report says only where the runs part: for searches that fail often, as that of
            Hypothesis for a smaller example.

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
        explain=explain,
    )
    outcomes = run_planned(planned)
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
    subject: Subject
    expected: Expected | None = None

    @property
    def name(self) -> str:
        """The check's name."""
        return self.check.name

    @property
    def id(self) -> str:
        """The check's name, its format and its device, as a test id."""
        return "-".join(part for part in (self.check.name, self.format, self._place) if part)

    @property
    def _place(self) -> str:
        # A check of placement has devices of its own, and is run once, whatever devices the others are run on.
        if self.check.group == "placement":
            return "simulated" if is_simulated(MOVED_TO) else ""
        return device_id(self.device)

    def run(self) -> Outcome:
        """Run the check and judge it against what the project expects.

        Raises:
            UsageError: If the run cannot be used.
        """
        return apply_expectation(self.subject.judge(self.check), self.expected)


def run_planned(planned: Sequence[PlannedCheck]) -> Outcomes:
    """Run the checks of one run, one after the other."""
    items = tuple(item.run() for item in planned)
    return Outcomes(items=items, name=planned[0].subject.name if planned else "")


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
    per_check: Mapping[str, CheckSettings] | None = None,
    explain: bool = True,
) -> list[PlannedCheck]:
    """Return the checks that :func:`check_training_run` would run, without calling ``make_run``.

    Args:
        per_check: Check name to the settings that hold for it instead of the others.
        explain: Whether to find out what a failure is to blame on.

    Raises:
        UsageError: If an option makes no sense.
    """
    own = per_check or {}
    options = {"steps": steps, "at": _several(at), "ignore": _several(ignore), "formats": _several(formats)}
    common = _terms(**options)
    expected = {name: found.expected_failure for name, found in own.items()} | read_expectations(expected_failures)
    enabled = {name: found.enabled for name, found in own.items() if found.enabled is not None}
    chosen = _chosen(make_run, list(_several(select) or ()), enabled)
    terms = {item.name: _own_terms(options, own[item.name]) if item.name in own else common for item in chosen}
    travels = any(item.group == "processes" for item in chosen)
    asked = _devices(make_run, devices)
    subject = cache(partial(Subject, make_run, explain=explain, travels=travels))
    return [
        PlannedCheck(
            check=item,
            format=name,
            device=device,
            subject=subject(terms[item.name][name], device),
            expected=expected.get(item.name),
        )
        for device, name, item in _combinations(asked, dict.fromkeys(chain(common, *terms.values())), chosen)
        if name in terms[item.name]
    ]


def _chosen(make_run: MakeRun, select: list[str], enabled: Mapping[str, bool]) -> list[Check]:
    """Select checks; those of placement, of a run that is made on no device but its own, only where they are named."""
    chosen = select_checks(select, enabled)
    if takes_device(make_run):
        return chosen
    words = [word for word in select if word not in ("default", "all")]
    named = {item.name for item in select_checks(words, enabled)}
    return [item for item in chosen if item.group != "placement" or item.name in named]


def _combinations(
    devices: Sequence[str], formats: Iterable[str], chosen: Sequence[Check]
) -> Iterator[tuple[str, str, Check]]:
    home = devices[0] if list(devices) == [""] else "cpu"
    for device, name, item in product(dict.fromkeys([*devices, home]), formats, chosen):
        if device == home if item.group == "placement" else device in devices:
            yield device, name, item


def _several(value: Any) -> tuple[Any, ...] | None:
    return value if value is None else (value,) if isinstance(value, str | int) else tuple(value)


def _terms(steps: Any, at: Any, ignore: Any, formats: Any) -> dict[str, Terms]:
    points = _resume_points(steps, at)
    names = ("",) if formats is None else formats
    return {name: Terms(steps=steps, at=points, ignore=ignore, format=name) for name in names}


def _own_terms(options: Mapping[str, Any], own: CheckSettings) -> dict[str, Terms]:
    try:
        return _terms(**{**options, **own.terms()})
    except UsageError as error:
        raise UsageError(f"{own.place}: {error}") from None


def _resume_points(steps: Any, at: Any) -> tuple[int, ...]:
    if not isinstance(steps, int) or steps < 1:
        raise UsageError(f"steps={steps!r}; it is the number of training steps, at least 1.")
    points = tuple(sorted(set(range(steps) if at is None else at)))
    if not points or any(not isinstance(k, int) or not 0 <= k < steps for k in points):
        raise UsageError(
            f"at={list(points)!r} with steps={steps}: the steps to save after and resume from lie between 0 and "
            f"{steps - 1}, so that at least one step is left to train."
        )
    return points


def _devices(make_run: MakeRun, devices: Iterable[str] | None) -> list[str]:
    if devices is None:
        return [""]
    names = list(_several(devices) or ())
    if not takes_device(make_run):
        raise UsageError(f"devices={names!r}, but make_run has no parameter 'device' to be called with.")
    return names
