"""Measuring several ways of doing one thing in turn, so that a noisy machine treats them alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["Spread", "Work", "one_after_another"]

Work = Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """One number per round, summed up; a single round that was disturbed does not move the median."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        return cls(median=statistics.median(values), low=min(values), high=max(values))

    @classmethod
    def ratio(cls, one: list[float], other: list[float]) -> Spread:
        """Sum up the ratios of neighbours in time, not the ratio of two sums."""
        return cls.of([a / b for a, b in zip(one, other, strict=True)])


def one_after_another(
    ways: Mapping[str, Work], *, rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, list[float]]:
    """Return the seconds of each way per round: A B A B, after one round that does not count.

    The default clock counts the process's own work, so that of others disturbs it less than a wall clock. Use
    ``time.perf_counter`` for ways that wait or that start processes.
    """
    found: dict[str, list[float]] = {name: [] for name in ways}
    for work in ways.values():
        work()
    gc.freeze()  # What was imported and made so far is not looked at again in each round.
    for _ in range(rounds):
        for name, work in ways.items():
            gc.collect()
            start = clock()
            work()
            found[name].append(clock() - start)
    gc.unfreeze()
    return found
