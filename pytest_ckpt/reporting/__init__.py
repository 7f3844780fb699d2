"""Results in words, from the outcomes."""

from pytest_ckpt.reporting.text import MISMATCH_LIMIT, mismatch_lines, outcome_lines, report

__all__ = ["MISMATCH_LIMIT", "mismatch_lines", "outcome_lines", "report"]
