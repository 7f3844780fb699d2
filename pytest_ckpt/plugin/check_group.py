"""The checks of one run as calls that pytest can make, one at a time and in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ckpt.plugin.settings import Settings
from pytest_ckpt.plugin.verdicts import deliver, foreign_frames_only, mismatch_limit

if TYPE_CHECKING:
    from pytest_ckpt.checks import Outcome
    from pytest_ckpt.running import PlannedCheck
    from pytest_ckpt.self_testing import PlannedFault

__all__ = ["CheckCall", "CheckGroup", "check_calls", "group_of"]


class CheckGroup:
    """The checks of one run, which share what was seen of it until they are told to forget it.

    With a self-test, the faults to put into the run are among them.
    """

    def __init__(self, make_run: Callable[..., Any], settings: Settings, config: pytest.Config) -> None:
        from pytest_ckpt.plugin.check_tables import per_check
        from pytest_ckpt.running import plan_checks

        settings = settings.of_run(make_run)
        self._checks = partial(plan_checks, make_run, **settings.given(), per_check=per_check(config, settings))
        self._selftest = bool(config.getoption("ckpt_selftest", default=False))
        self._planned: dict[str, PlannedCheck | PlannedFault] = {}
        self.ids = tuple(item.id for item in self._plan())

    def _plan(self) -> list[PlannedCheck | PlannedFault]:
        planned = self._checks()
        if not self._selftest:
            return [*planned]
        from pytest_ckpt.self_testing import plan_faults

        return [*planned, *plan_faults(planned)]

    def planned(self, check_id: str) -> PlannedCheck | PlannedFault:
        """Return one check or fault, planned anew if everything was forgotten."""
        if not self._planned:
            self._planned = {item.id: item for item in self._plan()}
        return self._planned[check_id]

    def release(self) -> None:
        """Forget what was seen of the run: its states are as large as the run itself."""
        self._planned = {}


def _ignored(outcome: Outcome) -> None:
    pass


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckCall:
    """One check, which a test or an item without a test calls.

    Attributes:
        check_id: Which of the checks it is.
        group: The checks of the same run.
        limit: How many mismatches to show; 0 shows all.
        record: Takes the outcome, for the report.
    """

    check_id: str
    # Not repeated above every failure, where pytest shows the arguments of the test.
    group: CheckGroup = field(repr=False)
    limit: int = field(repr=False)
    record: Callable[[Outcome], None] = field(default=_ignored, repr=False)

    def __call__(self) -> Outcome:
        """Run the check: a failure raises its report, and what could not be decided skips the test."""
        __tracebackhide__ = True
        planned = self.group.planned(self.check_id)
        outcome = foreign_frames_only(planned.run)
        self.record(outcome)
        deliver(outcome, limit=self.limit, reason=planned.expected.reason if planned.expected else "")
        return outcome

    def recorded_by(self, record: Callable[[Outcome], None]) -> CheckCall:
        """Return the same call, which also tells ``record`` what it found."""
        return replace(self, record=record)


def check_calls(make_run: Callable[..., Any], settings: Settings, config: pytest.Config) -> dict[str, CheckCall]:
    """Return the checks of a run by their ids, those of ``--ckpt-selftest`` included, without making the run.

    Raises:
        UsageError: If the settings make no sense.
    """
    config.pluginmanager.import_plugin("pytest_ckpt.plugin.sharing")
    group, limit = CheckGroup(make_run, settings, config), mismatch_limit(config)
    return {check_id: CheckCall(group=group, check_id=check_id, limit=limit) for check_id in group.ids}


def group_of(item: pytest.Item) -> CheckGroup | None:
    """Return the group of the check that an item runs, if it runs one."""
    callspec = getattr(item, "callspec", None)
    call = callspec.params.get("check") if callspec is not None else getattr(item, "check", None)
    return call.group if isinstance(call, CheckCall) else None
