"""Many draws of a strategy, the same in every run, and how many of them Hypothesis threw away."""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

T = TypeVar("T")

EXACT = settings(database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def many(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """Return what so many draws gave. Drawing is quiet: a warning is an error."""
    found: list[T] = []

    @settings(EXACT, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def draw(value: T) -> None:
        found.append(value)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw()
    return found


def discarded(strategy: st.SearchStrategy[Any], count: int) -> float:
    """Return the share of draws that came to nothing."""
    begun = 0

    @st.composite
    def counted(draw: st.DrawFn) -> Any:
        nonlocal begun
        begun += 1
        return draw(strategy)

    kept = len(many(counted(), count))
    assert kept >= 0.9 * count
    return 1 - kept / begun
