"""A fresh process for what must not see the memory, the threads or the imports of anything else."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

from benchmarks.table import Row

__all__ = ["in_a_fresh_process", "rows_of"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def in_a_fresh_process(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def rows_of(module: str, rounds: int) -> list[Row]:
    """Import a benchmark's module, run it and return what it measured."""
    return list(importlib.import_module(module).measure(rounds))
