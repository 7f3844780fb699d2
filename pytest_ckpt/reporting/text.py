"""A report in words, from outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

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
    mismatches: tuple[Mismatch, ...], *, words: tuple[str, str] = ("saved", "loaded"), limit: int = MISMATCH_LIMIT
) -> Iterator[str]:
    """Yield three or four lines per mismatch, and how many more there are.

    Args:
        mismatches: What to show.
        words: How the two sides are called.
        limit: How many to show; 0 shows all.
    """
    shown = mismatches[:limit] if limit else mismatches
    width = max(len(word) for word in words) + 1
    for mismatch in shown:
        detail = f" ({mismatch.detail})" if mismatch.detail else ""
        yield f"{mismatch.path}: {_KIND_WORDS.get(mismatch.kind, mismatch.kind)}{detail}"
        yield f"    {f'{words[0]}:':<{width}} {mismatch.expected}"
        yield f"    {f'{words[1]}:':<{width}} {mismatch.actual}"
    if rest := len(mismatches) - len(shown):
        yield f"... and {rest} more, use '-vv' to show"


def outcome_lines(outcome: Outcome, *, limit: int = MISMATCH_LIMIT) -> Iterator[str]:
    """Yield what one outcome has to say; nothing for a pass without notes."""
    if outcome.summary:
        yield outcome.summary
    yield from mismatch_lines(outcome.mismatches, words=outcome.words, limit=limit)
    yield from outcome.details
    if outcome.advice:
        yield outcome.advice
    if outcome.failed:
        yield (
            f"If this is on purpose, tell the check: expected_failures={{{outcome.check!r}: "
            f"\"the reason\"}}."
        )
    for note in outcome.notes:
        yield f"note: {note}"


def report(outcomes: Outcomes, *, limit: int = MISMATCH_LIMIT) -> str:
    """Return the whole report: a line of totals, then every outcome that is not a plain pass."""
    counts = Counter(outcome.status for outcome in outcomes)
    totals = ", ".join(f"{count} {status}" for status, count in counts.items())
    lines = [f"Checkpoint checks of {outcomes.name or 'the run'}: {totals}."]
    for outcome in outcomes:
        body = list(outcome_lines(outcome, limit=limit))
        if outcome.status == "pass" and not body:
            continue
        where = f" [{outcome.format}]" if outcome.format not in ("", "own") else ""
        where += f" on {outcome.device}" if outcome.device else ""
        lines += ["", f"{outcome.status.upper()} {outcome.check}{where}", *body]
    return "\n".join(lines)
