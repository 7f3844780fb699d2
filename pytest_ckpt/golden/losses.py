"""What a resumed run returns, compared with what it returned when its golden was kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_ckpt.golden.manifest import Conditions, Golden

__all__ = ["TOLERANCE", "Losses", "compare_losses"]

TOLERANCE = 1e-3
"""The relative difference that another processor or another version of torch may make within a few steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Losses:
    """How losses compare.

    Attributes:
        agree: Whether they do; ``None`` where there is nothing to compare.
        step: The first step at which they do not.
        expected: What was returned there when the golden was kept.
        actual: What is returned there now.
        conditions: How strictly they were compared, and why, in words.
    """

    agree: bool | None
    step: int = 0
    expected: str = ""
    actual: str = ""
    conditions: str = ""


def compare_losses(golden: Golden, losses: tuple[tuple[str, ...], ...], here: Conditions) -> Losses:
    """Compare bit for bit under the same conditions, within a tolerance under others."""
    if not any(golden.losses) or not any(losses):
        return Losses(agree=None)
    differ = _different(golden.conditions, here)
    words = f"within {TOLERANCE:g}, since it was kept under {differ}" if differ else "bit for bit"
    for offset, (expected, actual) in enumerate(zip(golden.losses, losses, strict=False)):
        same = expected == actual if not differ else _close(expected, actual)
        if not same:
            return Losses(
                agree=False,
                step=golden.at + offset,
                expected=_spell(expected),
                actual=_spell(actual),
                conditions=words,
            )
    return Losses(agree=True, conditions=words)


def _close(expected: tuple[str, ...], actual: tuple[str, ...]) -> bool:
    pairs = zip(map(float.fromhex, expected), map(float.fromhex, actual), strict=False)
    same = all(math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=1e-6) or (a != a and b != b) for a, b in pairs)
    return len(expected) == len(actual) and same


def _different(then: Conditions, now: Conditions) -> str:
    names = ("torch", "threads", "capability", "machine")
    return ", ".join(
        f"{name} {getattr(then, name)} (here {getattr(now, name)})"
        for name in names
        if getattr(then, name) != getattr(now, name)
    )


def _spell(numbers: tuple[str, ...]) -> str:
    return ", ".join(repr(float.fromhex(number)) for number in numbers[:4]) + (", ..." if len(numbers) > 4 else "")
