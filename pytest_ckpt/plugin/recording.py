"""Findings travel with the reports of the tests, so that xdist, JUnit and the terminal get them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ckpt.errors import CheckpointFailure
from pytest_ckpt.plugin.verdicts import PACKAGE

if TYPE_CHECKING:
    from pytest_ckpt.checks import Outcome

__all__ = ["CHECK", "STATUS", "SUMMARY", "recorder"]

FINDINGS = pytest.StashKey["list[Outcome]"]()
SECTION = "checkpoint"
CHECK, STATUS, CAUSES, SUMMARY = "ckpt_check", "ckpt_status", "ckpt_causes", "ckpt_summary"


def recorder(item: pytest.Item) -> Callable[[Outcome], None]:
    """Return a function that notes an outcome for the item's report."""
    return item.stash.setdefault(FINDINGS, []).append


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        _attach(_outcomes(item, call), report, item)
        _point_at_the_test(report, item)
    return report


def _attach(outcomes: list[Outcome], report: pytest.TestReport, item: pytest.Item) -> None:
    # The report of the call is made already; JUnit reads the one of the teardown.
    for properties in (item.user_properties, report.user_properties):
        properties += [pair for outcome in outcomes for pair in _properties(outcome)]
    if outcomes and not report.failed:  # A failure says it all by itself.
        report.sections += _sections(outcomes)


def _outcomes(item: pytest.Item, call: pytest.CallInfo[None]) -> list[Outcome]:
    noted: list[Outcome] = item.stash.get(FINDINGS, [])
    found = list(noted)
    if call.excinfo is not None and isinstance(call.excinfo.value, CheckpointFailure):
        # check_training_run() in a test, without any fixture, has nobody else to record it.
        found += [outcome for outcome in call.excinfo.value.outcomes if outcome not in found]
    return found


def _properties(outcome: Outcome) -> list[tuple[str, object]]:
    format = f" [{outcome.format}]" if outcome.format else ""
    return [
        (CHECK, outcome.check + format),
        (STATUS, outcome.status),
        (CAUSES, ", ".join(outcome.causes)),
        (SUMMARY, outcome.summary),
    ]


def _sections(outcomes: Iterable[Outcome]) -> list[tuple[str, str]]:
    from pytest_ckpt.reporting import outcome_lines

    lines = [line for outcome in outcomes for line in outcome_lines(outcome)]
    return [(SECTION, "\n".join(lines))] if lines else []


def _point_at_the_test(report: pytest.TestReport, item: pytest.Item) -> None:
    """Let a skip that this package asked for name the test's place, not a line of this package."""
    skip: Any = report.longrepr
    if report.skipped and isinstance(skip, tuple) and Path(skip[0]).is_relative_to(PACKAGE):
        path, line, _ = item.reportinfo()
        report.longrepr = (str(path), (line or 0) + 1, skip[2])
