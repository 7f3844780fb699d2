"""From an outcome to what pytest understands: a failure, a skip, an expected failure, or nothing."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import pytest

from pytest_ckpt.errors import CheckpointFailure

if TYPE_CHECKING:
    from pytest_ckpt.checks import Outcome, Outcomes

__all__ = ["PACKAGE", "deliver", "foreign_frames_only", "mismatch_limit", "refuse"]

PACKAGE = Path(__file__).parents[1]
_PASSED_THROUGH = (contextlib.__file__, functools.__file__)
_Result = TypeVar("_Result")


def mismatch_limit(config: pytest.Config) -> int:
    """Return how many mismatches a report shows: all of them with ``-vv``."""
    from pytest_ckpt.reporting import MISMATCH_LIMIT

    return 0 if config.get_verbosity() >= 2 else MISMATCH_LIMIT


def deliver(outcome: Outcome, *, limit: int, reason: str = "") -> None:
    """Make a test of its own of one outcome.

    Args:
        outcome: What a check found.
        limit: How many mismatches to show; 0 shows all.
        reason: Why its failure is expected.

    Raises:
        CheckpointFailure: If the check failed, or passed unexpectedly.
    """
    __tracebackhide__ = True
    refuse([outcome], limit=limit)
    if outcome.status == "expected failure":
        pytest.xfail(reason)
    if outcome.status != "pass":
        pytest.skip(f"{outcome.status}: {outcome.summary}")


def refuse(items: list[Outcome], *, limit: int) -> Outcomes:
    """Return the outcomes, if none of them is a failure.

    Raises:
        CheckpointFailure: If one is; its text is what the failed ones have to say.
    """
    __tracebackhide__ = True
    from pytest_ckpt.checks import Outcomes
    from pytest_ckpt.reporting import outcome_lines

    outcomes = Outcomes(items=tuple(items))
    if outcomes.failures:
        texts = ["\n".join(outcome_lines(outcome, limit=limit)) for outcome in outcomes.failures]
        raise CheckpointFailure("\n\n".join(texts), outcomes)
    return outcomes


def foreign_frames_only(function: Callable[[], _Result]) -> _Result:
    """Call a function; what it raises shows the frames of the project under test and none of this package."""
    __tracebackhide__ = True
    try:
        return function()
    except Exception as error:
        raise error.with_traceback(_foreign(error.__traceback__)) from error.__cause__


def _foreign(traceback: TracebackType | None) -> TracebackType | None:
    entries = []
    while traceback is not None:  # A loop: what ran out of recursion is as long as recursion can be.
        entries.append(traceback)
        traceback = traceback.tb_next
    rest = None
    for entry in reversed(entries):
        file = entry.tb_frame.f_code.co_filename
        if file not in _PASSED_THROUGH and not Path(file).is_relative_to(PACKAGE):
            rest = TracebackType(rest, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return rest
