"""What a fault is: a bug as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pytest_ckpt.runs import MakeRun

__all__ = ["Applies", "Fault"]

Applies: TypeAlias = Callable[[MakeRun, int, Sequence[int]], "str | None"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A bug that real programs have, to be put into a correct run on purpose.

    Attributes:
        name: What it is called.
        summary: The real bug it stands for, in one sentence.
        seen_by: The checks that must fail because of it, where they pass without it. Others may fail, too.
        inject: ``inject(make_run)`` returns a ``make_run`` whose runs have the bug. They save and load with
            functions of their own, whatever the run did before, so they are checked in no other format.
        applies: ``applies(make_run, steps, at)`` returns the reason why the bug would change nothing that the
            checks in ``seen_by`` look at, or ``None``. Trains a few runs to find out.
    """

    name: str
    summary: str
    seen_by: tuple[str, ...]
    inject: Callable[[MakeRun], MakeRun]
    applies: Applies
