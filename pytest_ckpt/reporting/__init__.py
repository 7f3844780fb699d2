"""Results in words, from the outcomes."""

from pytest_ckpt.reporting.self_test import ADVICE, NOTHING_SEEN, self_test_report, self_test_totals
from pytest_ckpt.reporting.text import MISMATCH_LIMIT, mismatch_lines, outcome_lines, report

__all__ = [
    "ADVICE",
    "MISMATCH_LIMIT",
    "NOTHING_SEEN",
    "mismatch_lines",
    "outcome_lines",
    "report",
    "self_test_report",
    "self_test_totals",
]
