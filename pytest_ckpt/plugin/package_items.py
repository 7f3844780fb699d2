"""``--ckpt-package``: the classes of installed packages as test items, without a test file."""

from __future__ import annotations

import inspect
import os
import pkgutil
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from difflib import get_close_matches
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import pytest

from pytest_ckpt.errors import CheckpointFailure, UsageError
from pytest_ckpt.plugin.recording import recorder
from pytest_ckpt.plugin.settings import Settings
from pytest_ckpt.plugin.stash import FROM_CONFIG, PACKAGES
from pytest_ckpt.plugin.verdicts import mismatch_limit

if TYPE_CHECKING:
    from pytest_ckpt.packages import FoundClass
    from pytest_ckpt.running import PlannedCheck

__all__ = ["ClassItem", "PackageCollector"]

_VERDICT = "ckpt_package"
_SHOWN = 3
_NOT_BUILT, _UNREAD = "not built", "not read"
_Found: TypeAlias = tuple[str, str, str]


class PackageCollector(pytest.Collector):
    """One package of ``--ckpt-package``, under its name as node id."""

    def collect(self) -> Iterator[ClassItem]:
        """Import the package with all that is in it, and yield one item per class and per unreadable module."""
        from pytest_ckpt.packages import survey

        try:
            found = survey(self.name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{self.name}.".startswith(f"{error.name}."):
                raise  # the package is there, and misses another one
            raise self.CollectError(_absent(self.name)) from None
        for module, reason in found.unread.items():
            yield ClassItem.from_parent(self, name=module, found=None, reason=reason)
        for item in found.classes:
            yield ClassItem.from_parent(self, name=item.name, found=item)


class ClassItem(pytest.Item):
    """One class of a package.

    Attributes:
        found: The class; ``None`` for a module that cannot be imported.
        reason: Why the module cannot be imported.
    """

    def __init__(self, *, found: FoundClass | None, reason: str = "", **others: Any) -> None:
        super().__init__(**others)
        self.found, self.reason = found, reason

    def runtest(self) -> None:
        """Build the class and check it."""
        from pytest_ckpt.packages import check_class

        if self.found is None:
            self._skip(_UNREAD, self.reason)
        verdict = check_class(self.found, partial(_planned, self.config))
        for outcome in verdict.outcomes:
            recorder(self)(outcome)
        if verdict.status not in ("passed", "failed"):
            self._skip(verdict.status, verdict.reason)
        self._note(verdict.status)
        if verdict.status == "failed":
            raise CheckpointFailure(verdict.report(limit=mismatch_limit(self.config)), verdict.outcomes)

    def _note(self, status: str, reason: str = "") -> None:
        package = self.parent.name if self.parent is not None else ""
        self.user_properties.append((_VERDICT, "\n".join((package, self.name, status, reason))))

    def _skip(self, status: str, reason: str) -> NoReturn:
        self._note(status, reason)
        pytest.skip(f"{self.name}: {status}: {reason}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the report of the checks; there is no test whose lines could be shown around it."""
        return str(excinfo.value) if isinstance(excinfo.value, CheckpointFailure) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Say where the class is."""
        headline = f"{self.name} of {self.parent.name if self.parent is not None else ''}"
        try:
            cls: Any = self.found.cls if self.found is not None else None
            return inspect.getsourcefile(cls) or self.path, inspect.getsourcelines(cls)[1] - 1, headline
        except (OSError, TypeError):
            return self.path, None, headline


def _planned(config: pytest.Config, make_run: Any, format: str | None = None) -> list[PlannedCheck]:
    from pytest_ckpt.plugin.check_tables import per_check
    from pytest_ckpt.running import plan_checks

    settings = config.stash.get(FROM_CONFIG, Settings())
    default = {} if format is None else {"formats": (format,)}
    return plan_checks(make_run, **{**default, **settings.given()}, per_check=per_check(config, settings))


def pytest_configure(config: pytest.Config) -> None:
    directory = str(config.invocation_params.dir)
    if directory not in sys.path:
        sys.path.insert(0, directory)  # as python -m does
    if hasattr(config, "workerinput"):
        return  # The controller of xdist has looked; a worker that refuses would be started again.
    try:
        for name in config.stash[PACKAGES]:
            _require_installed(name)
        _planned(config, lambda: None)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def _require_installed(name: str) -> None:
    if find_spec(name.partition(".")[0]) is None:
        raise UsageError(_absent(name))


def _absent(name: str) -> str:
    close = get_close_matches(name.replace("-", "_"), [module.name for module in pkgutil.iter_modules()], n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"--ckpt-package={name}: no package of that name can be imported.{hint} Install it first."


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if isinstance(collector, pytest.Session) and report.result is not None:
        names = collector.config.stash[PACKAGES]
        report.result += [PackageCollector.from_parent(collector, name=name, nodeid=name) for name in names]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found: dict[str, list[_Found]] = {}
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if isinstance(report, pytest.TestReport) and report.when == "call":
            for value in (value for key, value in report.user_properties if key == _VERDICT):
                package, name, status, reason = str(value).split("\n", 3)
                found.setdefault(package, []).append((name, status, reason))
    for package, verdicts in found.items():
        terminalreporter.section(f"checkpoints of {package}")
        terminalreporter.write("".join(f"{line}\n" for line in _summary(verdicts)))


def _summary(verdicts: list[_Found]) -> Iterator[str]:
    counts = Counter(status for _, status, _ in verdicts)
    found = len(verdicts) - counts[_UNREAD]
    words = ", ".join(f"{counts[status]} {status}" for status in ("passed", "failed", "vacuous", "undecidable"))
    yield f"{found} found, {found - counts[_NOT_BUILT]} checked: {words}; {counts[_NOT_BUILT]} not built."
    reasons: dict[str, list[str]] = {}
    for name, status, reason in sorted(verdicts):
        if status in (_NOT_BUILT, _UNREAD):
            reasons.setdefault(f"{status}: {reason.partition(':')[0]}", []).append(name)
    for reason, names in sorted(reasons.items(), key=lambda item: -len(item[1])):
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"    {len(names)} {reason}: {', '.join(names[:_SHOWN])}{more}"
