"""``--ckpt-run``: the checks of a run as test items, without a test file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from pytest_ckpt.errors import CheckpointFailure, CkptError, UsageError
from pytest_ckpt.plugin.check_group import CheckCall, check_calls
from pytest_ckpt.plugin.recording import recorder
from pytest_ckpt.plugin.settings import Settings
from pytest_ckpt.plugin.stash import FROM_CONFIG, RUNS
from pytest_ckpt.plugin.targets import load_target

__all__ = ["CheckItem", "CkptRun"]

_NODE_ID = "ckpt-run"


class CkptRun(pytest.Collector):
    """One target of ``--ckpt-run``, under the node id ``ckpt-run::MODULE:FACTORY``."""

    wrong_target: UsageError | None = None

    def collect(self) -> Iterator[CheckItem]:
        """Yield one item per check, without making the run."""
        try:
            make_run = load_target(self.name, self.session)
            calls = check_calls(make_run, self.config.stash.get(FROM_CONFIG, Settings()), self.config)
        except UsageError as error:
            self.wrong_target = error
            raise self.CollectError(str(error)) from None
        for name, call in calls.items():
            yield CheckItem.from_parent(self, name=name, check=call, make_run=make_run)


class CheckItem(pytest.Item):
    """One check of a run.

    Attributes:
        check: The check.
    """

    def __init__(self, *, check: CheckCall, make_run: Callable[..., Any], **others: Any) -> None:
        super().__init__(**others)
        self.check = check
        self._code = getattr(make_run, "__code__", None)
        self._target = self.parent.name if self.parent is not None else ""

    def runtest(self) -> None:
        """Run the check."""
        self.check.recorded_by(recorder(self))()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the report of the check; there is no test whose lines could be shown around it."""
        if isinstance(excinfo.value, CheckpointFailure | CkptError) and excinfo.value.__cause__ is None:
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Say where the function is that makes the run, and what stands above a failure."""
        headline = f"{self.name} of {self._target}"
        if self._code is None:
            return self.path, None, headline
        return self._code.co_filename, self._code.co_firstlineno - 1, headline


def pytest_sessionstart(session: pytest.Session) -> None:
    directory = str(session.config.invocation_params.dir)
    if session.config.stash.get(RUNS, ()) and directory not in sys.path:
        sys.path.insert(0, directory)  # as python -m does


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if isinstance(collector, pytest.Session) and report.result is not None:
        report.result += [_collector(collector, target) for target in collector.config.stash.get(RUNS, ())]
    # A worker of xdist cannot end the whole run with a usage error; its controller shows the failed report.
    if isinstance(collector, CkptRun) and collector.wrong_target and not hasattr(collector.config, "workerinput"):
        raise pytest.UsageError(str(collector.wrong_target))
    return report


def _collector(session: pytest.Session, target: str) -> CkptRun:
    run: CkptRun = CkptRun.from_parent(session, name=target, nodeid=f"{_NODE_ID}::{target}")
    return run
