"""Failures that a project expects: a reason, strict, with an expiry date if it likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pytest_ckpt.checks import Outcome, get_check
from pytest_ckpt.errors import UsageError

__all__ = ["Expected", "apply_expectation", "read_expectation", "read_expectations"]

_PLACE = "expected_failures"


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """One expected failure.

    Attributes:
        reason: Why the project accepts it.
        until: The last day it is accepted on; ``None`` for no end.
        place: Where it was written.
    """

    reason: str
    until: date | None = None
    place: str = _PLACE


def read_expectations(expected_failures: Mapping[str, Any] | None) -> dict[str, Expected]:
    """Read ``{check: reason}`` or ``{check: {"reason": ..., "until": "2027-01-31"}}``.

    Raises:
        UsageError: For an unknown check, a missing reason or a date that is none.
    """
    return {name: _read(name, value) for name, value in (expected_failures or {}).items()}


def _read(name: str, value: Any) -> Expected:
    try:
        get_check(name)
    except UsageError as error:
        raise UsageError(f"{_PLACE}: {error}") from None
    return read_expectation(value, f"{_PLACE}[{name!r}]", _PLACE)


def read_expectation(value: Any, place: str, table: str) -> Expected:
    """Read a reason, or a mapping with ``reason`` and ``until``.

    Args:
        value: What was written.
        place: What it was written as, for errors.
        table: What it is to be removed from when the check passes.

    Raises:
        UsageError: For a missing reason, a date that is none, or another key.
    """
    if isinstance(value, str):
        value = {"reason": value}
    if not isinstance(value, Mapping) or not value.get("reason"):
        raise UsageError(f"{place} needs a reason: give a string, or a mapping with 'reason' and, perhaps, 'until'.")
    if others := [key for key in value if key not in ("reason", "until")]:
        raise UsageError(f"{place} takes no {others[0]!r}. There are: reason, until.")
    until = value.get("until")
    try:
        day = until if until is None or type(until) is date else date.fromisoformat(until)
    except (TypeError, ValueError):
        raise UsageError(f"{place}: until is {until!r}, not a date such as '2027-01-31'.") from None
    return Expected(reason=str(value["reason"]), until=day, place=table)


def apply_expectation(outcome: Outcome, expected: Expected | None) -> Outcome:
    """Turn an expected failure into one that is accepted, and an unexpected pass into one that is not."""
    if expected is None:
        return outcome
    if outcome.status == "pass":
        summary = f"It passes, though it was expected to fail: {expected.reason}. Remove it from {expected.place}."
        return replace(outcome, status="unexpected pass", summary=summary)
    if outcome.status != "fail":
        return outcome
    if expected.until is not None and date.today() > expected.until:
        note = f"It was expected to fail until {expected.until}: {expected.reason}."
        return replace(outcome, notes=(*outcome.notes, note))
    return replace(outcome, status="expected failure", notes=(*outcome.notes, f"Expected: {expected.reason}."))
