"""Failures that a project expects: a reason, strict, with an expiry date if it likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pytest_ckpt.checks import CHECKS, Outcome
from pytest_ckpt.errors import UsageError

__all__ = ["Expected", "apply_expectation", "read_expectations"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """One expected failure.

    Attributes:
        reason: Why the project accepts it.
        until: The last day it is accepted on; ``None`` for no end.
    """

    reason: str
    until: date | None = None


def read_expectations(expected_failures: Mapping[str, Any] | None) -> dict[str, Expected]:
    """Read ``{check: reason}`` or ``{check: {"reason": ..., "until": "2027-01-31"}}``.

    Raises:
        UsageError: For an unknown check, a missing reason or a date that is none.
    """
    return {name: _read(name, value) for name, value in (expected_failures or {}).items()}


def _read(name: str, value: Any) -> Expected:
    if name not in CHECKS:
        raise UsageError(f"expected_failures names {name!r}, which is no check. There are: {', '.join(CHECKS)}.")
    if isinstance(value, str):
        value = {"reason": value}
    if not isinstance(value, Mapping) or not value.get("reason"):
        raise UsageError(f"expected_failures[{name!r}] needs a reason: a string, or {{'reason': ..., 'until': ...}}.")
    until = value.get("until")
    try:
        day = until if until is None or isinstance(until, date) else date.fromisoformat(until)
    except (TypeError, ValueError):
        message = f"expected_failures[{name!r}]: until is {until!r}, not a date such as '2027-01-31'."
        raise UsageError(message) from None
    return Expected(reason=str(value["reason"]), until=day)


def apply_expectation(outcome: Outcome, expected: Expected | None) -> Outcome:
    """Turn an expected failure into one that is accepted, and an unexpected pass into one that is not."""
    if expected is None:
        return outcome
    if outcome.status == "pass":
        summary = f"It passes, though it was expected to fail: {expected.reason}. Remove it from expected_failures."
        return replace(outcome, status="unexpected pass", summary=summary)
    if outcome.status != "fail":
        return outcome
    if expected.until is not None and date.today() > expected.until:
        note = f"It was expected to fail until {expected.until}: {expected.reason}."
        return replace(outcome, notes=(*outcome.notes, note))
    return replace(outcome, status="expected failure", notes=(*outcome.notes, f"Expected: {expected.reason}."))
