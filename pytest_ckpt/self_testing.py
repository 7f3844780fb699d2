"""``selftest()``: bugs that are put into one run on purpose, and which of its checks see them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from pytest_ckpt.checks import CHECKS, Outcome, Outcomes, Status
from pytest_ckpt.errors import CheckpointFailure, UsageError
from pytest_ckpt.faults import FAULTS, Fault, Injection, SelfTest
from pytest_ckpt.reporting import ADVICE, self_test_report
from pytest_ckpt.running import PlannedCheck, plan_checks
from pytest_ckpt.runs import MakeRun
from pytest_ckpt.runs.storage import OWN

__all__ = ["PlannedFault", "as_outcome", "failure_of", "plan_faults", "selftest"]


def selftest(
    make_run: MakeRun,
    *,
    steps: int = 6,
    at: Iterable[int] | None = None,
    select: Iterable[str] = ("default",),
    ignore: Iterable[str] = (),
    expected_failures: Mapping[str, Any] | None = None,
    faults: Iterable[str] | None = None,
    raise_on_failure: bool = True,
) -> SelfTest:
    """Put bugs of real programs into a run, one after the other, and require that its checks see each of them.

    A check that cannot fail on this run is worse than none. Takes about 25 times as long as
    :func:`~pytest_ckpt.check_training_run`, whose options these are.

    Args:
        make_run: Makes a fresh run.
        steps: Training steps of the uninterrupted run.
        at: The steps to save after and to resume from; default: all from 0 to ``steps - 1``.
        select: Check names, group names, ``default``, ``all``, and globs.
        ignore: Globs of paths that the project chooses not to restore.
        expected_failures: Check name to the reason why its failure is accepted. Such a check sees nothing.
        faults: Names and globs of the faults to try; default: all that a default or a selected check looks for.
        raise_on_failure: Whether a failure raises.

    Raises:
        CheckpointFailure: If a fault that applies is seen by no check, or if nothing is seen at all. Its text is
            the report, and its ``outcomes`` has one outcome ``selftest:<fault>`` for each fault.
        UsageError: If the call or the run cannot be used as given.
    """
    __tracebackhide__ = True  # In a test, pytest shows the line that called and the report.
    planned = plan_checks(
        make_run, steps=steps, at=at, select=select, ignore=ignore, expected_failures=expected_failures
    )
    items = tuple(item.inject() for item in plan_faults(planned, faults))
    result = SelfTest(items=items, name=planned[0].subject.name if planned else "")
    if raise_on_failure and result.failed:
        raise failure_of(result)
    return result


def failure_of(result: SelfTest) -> CheckpointFailure:
    """Return what a failed self-test raises."""
    outcomes = Outcomes(items=tuple(as_outcome(injection) for injection in result), name=result.name)
    return CheckpointFailure(self_test_report(result), outcomes)


def plan_faults(planned: list[PlannedCheck], faults: Iterable[str] | None = None) -> list[PlannedFault]:
    """Return the faults to put into the run of some planned checks, without making it.

    Of several devices, the first is taken. A faulty run saves in its own way, and so does the one it is judged by.

    Args:
        planned: The checks that have to see the faults. What they saw of the run is shared.
        faults: Names and globs of the faults to try; ``None`` as in :func:`selftest`.

    Raises:
        UsageError: If a word names no fault.
    """
    checks: dict[str, PlannedCheck] = {}
    for item in planned:
        checks.setdefault(item.name, item)
    healthy = _CheckedRun(checks)
    if any(item.subject.terms.format not in ("", OWN) for item in planned):
        healthy = healthy.but(format="")
    chosen = _sensible_faults(healthy.checks) if faults is None else _find_faults(faults)
    return [PlannedFault(fault=fault, healthy=healthy) for fault in chosen]


def _sensible_faults(selected: Iterable[str]) -> list[Fault]:
    """Return the faults but those that break only a promise that the project, or a run without device=, never made."""
    known = {item.name for item in CHECKS.values() if item.default and item.group != "placement"}.union(selected)
    return [fault for fault in FAULTS.values() if known.intersection(fault.seen_by)]


def _find_faults(faults: Iterable[str]) -> list[Fault]:
    words = [faults] if isinstance(faults, str) else list(faults)
    for word in words:
        if not any(fnmatchcase(name, word) for name in FAULTS):
            close = difflib.get_close_matches(word, FAULTS, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise UsageError(f"No fault is called {word!r}. {hint}There are: {', '.join(FAULTS)}.")
    return [fault for name, fault in FAULTS.items() if any(fnmatchcase(name, word) for word in words)]


class _CheckedRun:
    """One run and the checks that look at it."""

    def __init__(self, checks: Mapping[str, PlannedCheck]) -> None:
        self.checks = checks

    def status(self, check: str) -> str:
        return self.checks[check].run().status

    def those(self, statuses: Iterable[str], checks: Iterable[str]) -> tuple[str, ...]:
        """Return the checks that say one of these."""
        return tuple(check for check in checks if self.status(check) in statuses)

    def say(self, checks: Iterable[str]) -> str:
        """Spell what checks say."""
        return _enumerate(f"{check} ({self.status(check)})" for check in checks)

    def but(self, make_run: MakeRun | None = None, **changes: Any) -> _CheckedRun:
        """Return the same checks of another run, or of this one under other terms."""
        subjects = {check.subject: check.subject.but(make_run, **changes) for check in self.checks.values()}
        return _CheckedRun({name: replace(item, subject=subjects[item.subject]) for name, item in self.checks.items()})

    @property
    def ignore(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(glob for check in self.checks.values() for glob in check.subject.terms.ignore))

    @cached_property
    def without_ignore(self) -> _CheckedRun:
        return self.but(ignore=())


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedFault:
    """One fault to be put into a run, not done yet.

    Attributes:
        fault: The fault.
        healthy: The run without it.
        expected: Always ``None``: a project may expect a check to fail, but not to see nothing.
    """

    fault: Fault
    healthy: _CheckedRun
    expected: None = None

    @property
    def id(self) -> str:
        """The fault as the id of a test."""
        return f"{_PREFIX}{self.fault.name}"

    def run(self) -> Outcome:
        """Put the fault into the run and return what became of it as the outcome of a check.

        Raises:
            UsageError: If the run cannot be used.
        """
        return as_outcome(self.inject())

    def inject(self) -> Injection:
        """Put the fault into the run and return which checks fail because of it.

        Raises:
            UsageError: If the run cannot be used.
        """
        found = _inject(self.fault, self.healthy)
        if found.status != "unseen":
            return found
        if hiding := self.healthy.those(("fail", "expected failure"), self.healthy.checks):
            reason = f"It may be hidden by what is wrong without it already: {self.healthy.say(hiding)}."
            return replace(found, status="not judged", reason=reason)
        if self.healthy.ignore:
            bare = replace(self, healthy=self.healthy.without_ignore)
            return _unless_ignored(found, bare.inject(), self.healthy.ignore)
        return found


def _inject(fault: Fault, healthy: _CheckedRun) -> Injection:
    wanted = [check for check in fault.seen_by if check in healthy.checks]
    if not wanted:
        return _not_judged(fault, f"No selected check looks for it; {_enumerate(fault.seen_by)} would.")
    passing = healthy.those(("pass",), healthy.checks)
    subject = healthy.checks[wanted[0]].subject
    plan, make_run = subject.evidence.plan, subject.make_run
    if (reason := fault.applies(make_run, plan.steps, plan.at)) is not None:
        return Injection(fault=fault.name, status="not applicable", reason=reason)
    if not set(wanted) & set(passing):
        return _not_judged(fault, f"Without it there is no pass to lose: {healthy.say(wanted)}.")
    return _look(fault, healthy.but(fault.inject(make_run), explain=False), passing)


def _look(fault: Fault, faulty: _CheckedRun, passing: Iterable[str]) -> Injection:
    """Ask the checks that look for the fault, and all that pass without it only where those see nothing."""
    wanted = [check for check in fault.seen_by if check in passing]
    try:
        seen_by = faulty.those(("fail",), wanted) or faulty.those(("fail",), passing)
    except Exception as error:  # The program noticed by itself.
        return _not_judged(fault, f"With it the run raises {type(error).__name__}: {error}")
    if seen_by:
        return Injection(fault=fault.name, status="seen", seen_by=seen_by)
    reason = f"{fault.summary} No check fails because of it: {faulty.say(wanted)}."
    return Injection(fault=fault.name, status="unseen", reason=reason)


def _unless_ignored(found: Injection, bare: Injection, ignore: tuple[str, ...]) -> Injection:
    """Judge a fault that was not seen by what is seen where nothing is ignored."""
    globs = ", ".join(ignore)
    if bare.status == "seen":
        reason = f"ignore={globs} carries over what it damages; without that, {_enumerate(bare.seen_by)} would fail."
    elif bare.status == "not judged":
        reason = f"ignore={globs} may carry over what it damages, and without that nothing can be said. {bare.reason}"
    else:
        return found
    return replace(found, status="not judged", reason=reason)


def _not_judged(fault: Fault, reason: str) -> Injection:
    return Injection(fault=fault.name, status="not judged", reason=reason)


def _enumerate(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


_PREFIX = "selftest:"
_OUTCOMES: dict[str, tuple[Status, str]] = {
    "seen": ("pass", "Seen by "),
    "unseen": ("fail", ""),
    "not applicable": ("skipped", "Does not apply: "),
    "not judged": ("undecidable", "Not judged: "),
}


def as_outcome(injection: Injection) -> Outcome:
    """Return an injection as the outcome of a check ``selftest:<fault>``."""
    status, words = _OUTCOMES[injection.status]
    return Outcome(
        check=f"{_PREFIX}{injection.fault}",
        status=status,
        summary=words + (injection.reason or f"{_enumerate(injection.seen_by)}."),
        advice=ADVICE if injection.status == "unseen" else "",
    )
