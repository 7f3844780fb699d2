"""What a check found, as data: strings and numbers only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pytest_ckpt.comparison import Mismatch

__all__ = ["Outcome", "Outcomes", "Status"]

Status: TypeAlias = Literal["pass", "fail", "vacuous", "undecidable", "skipped", "expected failure", "unexpected pass"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one check found in one format.

    Attributes:
        check: The check's name.
        status: ``vacuous``: there was nothing to see, so it is no pass. ``undecidable``: two uninterrupted
            runs differ already, so nothing can be said of the checkpoint.
        summary: What happened, in one sentence; empty where a check passes.
        mismatches: Where the state or the training differs.
        words: How the two sides of a mismatch are called.
        causes: What was lost, as far as it could be proven or seen: paths.
        details: Further sentences of the report.
        advice: The change that would mend it; may be empty.
        notes: What is worth knowing and no failure.
        format: How the run got to disk: a format's name, or ``own`` for the project's own functions.
        device: Where the run trained; empty for its own choice.
    """

    check: str
    status: Status
    summary: str = ""
    mismatches: tuple[Mismatch, ...] = ()
    words: tuple[str, str] = ("saved", "loaded")
    causes: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    advice: str = ""
    notes: tuple[str, ...] = ()
    format: str = ""
    device: str = ""

    @property
    def failed(self) -> bool:
        """Whether the outcome makes a test fail."""
        return self.status in ("fail", "unexpected pass")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """What all checks of one call found, in the order they ran.

    Attributes:
        items: One outcome per check, format and device.
        name: The run's name.
    """

    items: tuple[Outcome, ...]
    name: str = ""

    def __repr__(self) -> str:
        counts = Counter(outcome.status for outcome in self.items)
        totals = ", ".join(f"{count} {status}" for status, count in counts.items())
        return f"<Outcomes of {self.name or 'a run'}: {totals or 'none'}>"

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, check: str) -> Outcome:
        for outcome in self.items:
            if outcome.check == check:
                return outcome
        raise KeyError(f"no check {check!r} ran; there are {', '.join(o.check for o in self.items)}")

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The outcomes that make a test fail."""
        return tuple(outcome for outcome in self.items if outcome.failed)
