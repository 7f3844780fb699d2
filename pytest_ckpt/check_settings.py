"""What a project settles for one check alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pytest_ckpt.expectations import Expected

__all__ = ["CheckSettings"]

_TOGETHER = {"steps", "at"}
_TERMS = {"ignore", "formats", *_TOGETHER}


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckSettings:
    """Settings of one check; ``None`` is what holds for the others, too.

    Attributes:
        place: Where they were written, for errors.
        enabled: Whether the check belongs to the default checks. One that does not runs where it is selected by
            its own name.
        steps: Training steps of the uninterrupted run.
        at: Steps to save after and to resume from.
        ignore: Globs of paths that the project chooses not to restore.
        formats: Formats to try.
        expected_failure: The failure that the project expects.
    """

    place: str
    enabled: bool | None = None
    steps: int | None = None
    at: tuple[int, ...] | None = None
    ignore: tuple[str, ...] | None = None
    formats: tuple[str, ...] | None = None
    expected_failure: Expected | None = None

    def without(self, names: Iterable[str]) -> CheckSettings:
        """Return what is left where some names are settled elsewhere; ``steps`` and ``at`` go together."""
        settled = {*_TERMS, "expected_failure"} & set(names)
        if settled & _TOGETHER:
            settled |= _TOGETHER
        nothing: dict[str, Any] = dict.fromkeys(settled)
        return replace(self, **nothing)

    def terms(self) -> dict[str, Any]:
        """Return how the run is tried, as keywords of ``check_training_run``."""
        values = {name: getattr(self, name) for name in _TERMS}
        return {name: value for name, value in values.items() if value is not None}
