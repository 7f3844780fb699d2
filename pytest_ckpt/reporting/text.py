"""A report in words, from outcomes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pytest_ckpt.checks import CHECKS
from pytest_ckpt.checks.outcome import Outcome, Outcomes
from pytest_ckpt.comparison import Mismatch

__all__ = ["MISMATCH_LIMIT", "mismatch_lines", "outcome_lines", "report"]

MISMATCH_LIMIT = 8
"""How many mismatches a report shows unless it is asked for more."""

_KIND_WORDS = {
    "value": "value differs",
    "type": "type differs",
    "container type": "container type differs",
    "number type": "number type differs",
    "dtype": "dtype differs",
    "shape": "shape differs",
    "layout": "layout differs",
    "class": "class differs",
    "requires_grad": "requires_grad differs",
    "strides": "strides differ",
    "device": "device differs",
}


def mismatch_lines(
    mismatches: tuple[Mismatch, ...],
    *,
    words: tuple[str, str] = ("saved", "loaded"),
    limit: int = MISMATCH_LIMIT,
) -> Iterator[str]:
    """Yield three or four lines per mismatch, and how many more there are.

    Args:
        mismatches: What to show.
        words: How the two sides are called.
        limit: How many to show; 0 shows all.
    """
    shown = _one_of_each_first(mismatches)[:limit] if limit else mismatches
    width = max(len(word) for word in words) + 1
    for mismatch in shown:
        detail = f" ({mismatch.detail})" if mismatch.detail else ""
        yield f"{mismatch.path}: {_KIND_WORDS.get(mismatch.kind, mismatch.kind)}{detail}"
        yield f"    {f'{words[0]}:':<{width}} {mismatch.expected}"
        yield f"    {f'{words[1]}:':<{width}} {mismatch.actual}"
    if rest := len(mismatches) - len(shown):
        yield f"... and {rest} more, use '-vv' to show"


def _one_of_each_first(mismatches: tuple[Mismatch, ...]) -> list[Mismatch]:
    """Order mismatches so that a short list shows every component before it shows one in full."""
    rank: Counter[str] = Counter()
    ranked = []
    for mismatch in mismatches:
        root = re.split(r"[.\[]", mismatch.path, maxsplit=1)[0]
        ranked.append((rank[root], mismatch))
        rank[root] += 1
    first = [mismatch for place, mismatch in ranked if place == 0]
    return first + [mismatch for place, mismatch in ranked if place > 0]


def outcome_lines(outcome: Outcome, *, limit: int = MISMATCH_LIMIT) -> Iterator[str]:
    """Yield what one outcome has to say; nothing for a pass without notes."""
    if outcome.summary:
        yield outcome.summary
    yield from mismatch_lines(outcome.mismatches, words=outcome.words, limit=limit)
    yield from outcome.details
    if outcome.advice:
        yield outcome.advice
    if outcome.status == "fail" and outcome.check in CHECKS:
        yield f'Or, if this is on purpose: expected_failures={{"{outcome.check}": "the reason"}}.'
    for note in outcome.notes:
        yield f"note: {note}"


def report(outcomes: Outcomes, *, limit: int = MISMATCH_LIMIT) -> str:
    """Return the whole report: a line of totals, failures first, then whatever else is no plain pass."""
    counts: Counter[str] = Counter(outcome.status for outcome in outcomes)
    totals = ", ".join(f"{counts[status]} {status}" for status in _ORDER if counts[status])
    lines = [f"Checkpoint checks of {outcomes.name or 'the run'}: {totals}."]
    for outcome in sorted(outcomes, key=lambda item: _ORDER.index(item.status)):
        body = list(outcome_lines(outcome, limit=limit))
        if outcome.status == "skipped":
            lines.append(f"SKIPPED {_title(outcome)}: {outcome.summary}")
        elif body:
            lines += ["", f"{outcome.status.upper()} {_title(outcome)}", *body, ""]
    return "\n".join(line for line, after in zip(lines, [*lines[1:], ""], strict=True) if line or after)


_ORDER = ("fail", "unexpected pass", "undecidable", "vacuous", "expected failure", "pass", "skipped")


def _title(outcome: Outcome) -> str:
    where = f" [{outcome.format}]" if outcome.format not in ("", "own") else ""
    return f"{outcome.check}{where}" + (f" on {outcome.device}" if outcome.device else "")
