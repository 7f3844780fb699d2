"""What several checks need to judge a trip."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.checks.outcome import Outcome
from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.trips import count_of_steps

__all__ = ["in_line", "in_words", "not_reached", "outcome", "storage_words"]


def storage_words(evidence: Evidence) -> str:
    """Say how the run got to disk and back."""
    name = evidence.plan.storage.name
    return "its own save and load" if name == "own" else f"the format {name!r}"


def in_line(mismatch: Mismatch) -> str:
    """Say in one line how a path differs after loading; where only elements differ, which."""
    if mismatch.expected == mismatch.actual and mismatch.detail:
        return f"{mismatch.path}: {mismatch.detail}"
    return f"{mismatch.path}: saved {mismatch.expected}, loaded {mismatch.actual}"


def in_words(steps: Iterable[int]) -> str:
    """Spell numbers of steps: ``1 step``, ``3 and 4 steps``, ``1, 2 and 5 steps``."""
    *others, last = steps
    many = ", ".join(map(str, others))
    return f"{many} and {last} steps" if others else count_of_steps(last)


def not_reached(evidence: Evidence, check: str, failure: object) -> Outcome:
    """Return the outcome of a check that another check's failure keeps from being judged, in one line."""
    summary = str(failure).splitlines()[0].rstrip(".")
    return outcome(evidence, check, status="skipped", summary=f"{summary}.")


def outcome(evidence: Evidence, check: str, **fields: object) -> Outcome:
    """Return an outcome of a check on this evidence."""
    return Outcome(
        check=check,
        format=evidence.plan.storage.name,
        device=evidence.device,
        **fields,  # type: ignore[arg-type]
    )
