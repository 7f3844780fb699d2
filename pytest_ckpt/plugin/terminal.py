"""A line in the header, a section in the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from pytest_ckpt.plugin.recording import CHECK, STATUS, SUMMARY
from pytest_ckpt.plugin.stash import FROM_CONFIG, RUNS

_FAILED = ("fail", "unexpected pass")


def pytest_report_header(config: pytest.Config) -> str | None:
    settings = config.stash.get(FROM_CONFIG, None)
    facts = {"run": config.stash.get(RUNS, ()), **(settings.given() if settings is not None else {})}
    words = [f"{name} {_listed(value)}" for name, value in facts.items() if value != ()]
    return f"pytest-ckpt: {'; '.join(words)}" if words else None


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    tests = [report for report in reports if isinstance(report, pytest.TestReport) and report.when == "call"]
    outcomes = [(report, outcome) for report in tests for outcome in _outcomes(report)]
    # A test may expect a failure, and pass.
    failed = [(report.nodeid, *outcome) for report, outcome in outcomes if report.failed and outcome[1] in _FAILED]
    if failed:
        terminalreporter.section("checkpoint failures")
        for line in _lines(failed):
            terminalreporter.write_line(line)
        terminalreporter.write_line(_totals([status for _, (_, status, _) in outcomes]))


def _outcomes(report: pytest.TestReport) -> Iterator[tuple[str, str, str]]:
    """Yield check, status and summary of each outcome that travelled with a report."""
    values = {name: [str(value) for key, value in report.user_properties if key == name] for name in _CARRIED}
    yield from zip(*values.values(), strict=True)


_CARRIED = (CHECK, STATUS, SUMMARY)


def _lines(failed: list[tuple[str, str, str, str]]) -> Iterator[str]:
    previous = ""
    for nodeid, check, _, summary in failed:
        if nodeid != previous:
            yield nodeid
        yield f"    {check}: {summary}"
        previous = nodeid


def _totals(statuses: list[str]) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common())
    return f"{len(statuses)} check{'s' if len(statuses) > 1 else ''}: {counts}."
