"""A line in the header, a section in the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from pytest_ckpt.plugin.recording import CHECK, STATUS, SUMMARY
from pytest_ckpt.plugin.stash import DESELECTED, FROM_CONFIG, PACKAGES, RUNS, golden_directory

_Found: TypeAlias = tuple[str, str, str, str]
_FAILED = ("fail", "unexpected pass")
_SELFTEST = "selftest:"
_WORKER_DESELECTED = "ckpt_deselected"
_FAULTS = {"pass": "seen", "skipped": "not applicable", "undecidable": "not judged", "fail": "unseen"}


def pytest_report_header(config: pytest.Config) -> str | None:
    settings = config.stash.get(FROM_CONFIG, None)
    asked = {"run": config.stash.get(RUNS, ()), "package": config.stash.get(PACKAGES, ())}
    facts = {**asked, **(settings.given() if settings is not None else {})}
    words = [f"{name} {_listed(value)}" for name, value in facts.items() if value != ()]
    return f"pytest-ckpt: {'; '.join(words)}" if words else None


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    tests = [report for report in reports if isinstance(report, pytest.TestReport) and report.when == "call"]
    outcomes = [(report.nodeid, *outcome) for report in tests for outcome in _outcomes(report)]
    faults = [outcome for outcome in outcomes if outcome[1].startswith(_SELFTEST)]
    checks = [outcome for outcome in outcomes if not outcome[1].startswith(_SELFTEST)]
    failed = {report.nodeid for report in tests if report.failed}
    verbose = terminalreporter.config.get_verbosity() > 0
    sections = {"checkpoint failures": _failures(checks, failed), "checkpoint self-test": _self_tests(faults, verbose)}
    sections["golden checkpoints"] = _goldens(terminalreporter.config, reports)
    for title, lines in sections.items():
        if lines:
            terminalreporter.section(title)
            terminalreporter.write("".join(f"{line}\n" for line in lines))


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    if items:
        config = items[0].config
        config.stash[DESELECTED] = config.stash.get(DESELECTED, 0) + len(items)
        if (output := getattr(config, "workeroutput", None)) is not None:
            output[_WORKER_DESELECTED] = config.stash[DESELECTED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", None) or {}
    node.config.stash[DESELECTED] = node.config.stash.get(DESELECTED, 0) + output.get(_WORKER_DESELECTED, 0)


def _goldens(config: pytest.Config, reports: list[object]) -> list[str]:
    if hasattr(config, "workerinput"):  # It ran a part of the tests, and must not judge by that.
        return []
    tests = [report for report in reports if isinstance(report, pytest.TestReport)]
    if not _may_have_goldens(config, tests):
        return []
    from pytest_ckpt.plugin.golden_summary import golden_lines

    return list(golden_lines(config, tests))


def _may_have_goldens(config: pytest.Config, reports: list[pytest.TestReport]) -> bool:
    """Whether there is anything to say; as cheap as can be, since every session asks."""
    if config.getoption("ckpt_prune", None) is None:  # the options are switched off
        return False
    folders = {Path(config.rootpath, report.nodeid.partition("::")[0]).parent for report in reports}
    return any((folder / golden_directory(config)).is_dir() for folder in folders)


def _outcomes(report: pytest.TestReport) -> Iterator[tuple[str, str, str]]:
    """Yield check, status and summary of each outcome that travelled with a report."""
    values = {name: [str(value) for key, value in report.user_properties if key == name] for name in _CARRIED}
    yield from zip(*values.values(), strict=True)


_CARRIED = (CHECK, STATUS, SUMMARY)


def _failures(outcomes: list[_Found], failed: set[str]) -> list[str]:
    lines, previous = [], ""
    for nodeid, check, status, summary in outcomes:
        if status in _FAILED and nodeid in failed:  # a test may expect a failure, and pass
            lines += ([] if nodeid == previous else [nodeid]) + [f"    {check}: {summary}"]
            previous = nodeid
    return [*lines, _totals([status for _, _, status, _ in outcomes])] if lines else []


def _self_tests(outcomes: list[_Found], verbose: bool) -> list[str]:
    """Say for each run how many faults were seen, and which were not; with ``-v``, what became of each."""
    runs: dict[str, list[_Found]] = {}
    for outcome in outcomes:
        runs.setdefault(outcome[0].partition(_SELFTEST)[0].rstrip("[:"), []).append(outcome)
    return [line for run, found in runs.items() for line in _self_test(run, found, verbose)]


def _self_test(run: str, found: list[_Found], verbose: bool) -> Iterator[str]:
    from pytest_ckpt.reporting import NOTHING_SEEN, self_test_totals

    became = [_FAULTS[status] for _, _, status, _ in found]
    yield f"{run}: {self_test_totals(became)}."
    for shown in _FAULTS if verbose else ("fail",):
        yield from (f"    {check}: {summary}" for _, check, status, summary in found if status == shown)
    if "seen" not in became and "not judged" in became:
        yield f"    {NOTHING_SEEN}"


def _totals(statuses: list[str]) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common())
    return f"{len(statuses)} check{'s' if len(statuses) > 1 else ''}: {counts}."
