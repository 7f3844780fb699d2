"""``compare()`` against a bare memcmp over the same tensors, and against what people write in a loop."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.measuring import Spread, one_after_another
from benchmarks.processes import in_a_fresh_process
from benchmarks.states import (
    State,
    compare_by_assert_close,
    compare_by_equal,
    compare_by_memcmp,
    copy_of,
    gpt2_like,
    many_small,
)
from benchmarks.table import Row
from pytest_ckpt import compare

__all__ = ["measure"]

_LOOPS = {"torch.equal in a loop": compare_by_equal, "assert_close in a loop": compare_by_assert_close}


def measure(rounds: int) -> Iterator[Row]:
    torch.set_num_threads(1)
    # First: what a new process has as its peak memory is at least that of its parent.
    memory = list(_extra_memory())
    yield from _against_memcmp("1 GB, 292 tensors", gpt2_like(), 1.1, rounds)
    yield from _against_memcmp("60,000 of 4 KB", many_small(), 3.0, rounds)
    yield from memory


def _against_memcmp(name: str, expected: State, limit: float, rounds: int) -> Iterator[Row]:
    actual = copy_of(expected)
    floor = partial(compare_by_memcmp, expected, actual)
    ours = partial(_compare, expected, actual)
    loops = {loop: partial(compare, expected, actual) for loop, compare in _LOOPS.items()}
    found = one_after_another({"memcmp": floor, "compare()": ours, **loops}, rounds=rounds)
    for way, times in found.items():
        if way != "memcmp":
            spread = Spread.ratio(times, found["memcmp"])
            yield Row(
                benchmark="compare",
                measured=f"{name}: {way} / memcmp",
                spread=spread,
                limit=limit if way == "compare()" else None,
            )


def _compare(expected: State, actual: State) -> None:
    if diff := compare(expected, actual):
        raise AssertionError(diff.mismatches[0])


def _extra_memory() -> Iterator[Row]:
    """Peak memory only ever grows, so each state has a fresh process for itself."""
    for name, change in {"equal": False, "all tensors differ": True}.items():
        spread = Spread.of([in_a_fresh_process(_growth, change=change)])
        yield Row(benchmark="compare", measured=f"1 GB, {name}: extra memory", spread=spread, unit="%", limit=5.0)


def _growth(*, change: bool) -> float:
    """Return how much ``compare()`` adds to the peak memory, in percent of the size of one state."""
    compare(many_small(2), many_small(2))
    expected = gpt2_like()
    actual = copy_of(expected)
    for tensor in actual.values() if change else ():
        tensor.view(-1)[-1] += 1
    before = _peak()
    diff = compare(expected, actual)
    if len(diff) != (len(expected) if change else 0):
        raise AssertionError(f"{len(diff)} mismatches")
    return 100 * (_peak() - before) / sum(tensor.nbytes for tensor in expected.values())


def _peak() -> int:
    """Return the largest amount of memory this process has had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
