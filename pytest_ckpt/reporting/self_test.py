"""A report on a self-test in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ckpt.faults import Injection, SelfTest

__all__ = ["ADVICE", "NOTHING_SEEN", "self_test_report", "self_test_totals"]

ADVICE = (
    "Train more steps (steps=), save after other steps (at=), give predict=, or name in components= what it damages."
)
"""What to do about a fault that no check saw."""

NOTHING_SEEN = "No fault was seen, so nothing shows that these checks can fail on this run."


def self_test_report(result: SelfTest) -> str:
    """Return the whole report: a line of totals, which checks saw what, and what was not seen with the reasons."""
    found: dict[str, list[Injection]] = {status: [] for status in _WORDS}
    for injection in result:
        found[injection.status].append(injection)
    totals = self_test_totals(injection.status for injection in result)
    lines = [f"Checkpoint self-test of {result.name or 'the run'}: {totals}."]
    if found["seen"]:
        lines += ["", *_table(found["seen"])]
    elif result.failed:
        lines.append(NOTHING_SEEN)
    for title, status in (("Do not apply:", "not applicable"), ("Not judged:", "not judged")):
        if found[status]:
            lines += ["", title, *(f"    {item.fault}: {item.reason}" for item in found[status])]
    for item in found["unseen"]:
        lines += ["", f"UNSEEN {item.fault}", item.reason, ADVICE]
    return "\n".join(lines)


def _table(seen: list[Injection]) -> Iterator[str]:
    width = max(len(item.fault) for item in seen)
    yield f"{'fault':<{width}} | seen by"
    yield f"{'-' * width}-|-{'-' * len('seen by')}"
    yield from (f"{item.fault:<{width}} | {', '.join(item.seen_by)}" for item in seen)


_WORDS = {
    "seen": ("fault seen", "faults seen"),
    "not applicable": ("does not apply", "do not apply"),
    "not judged": ("not judged", "not judged"),
    "unseen": ("unseen", "unseen"),
}


def self_test_totals(statuses: Iterable[str]) -> str:
    """Spell how many faults became what; those not judged are only mentioned where there are any."""
    counts = Counter(statuses)
    shown = {status: words for status, words in _WORDS.items() if counts[status] or status != "not judged"}
    return ", ".join(f"{counts[status]} {words[counts[status] != 1]}" for status, words in shown.items())
