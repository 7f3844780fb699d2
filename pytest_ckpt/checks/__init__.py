"""The catalogue of checks. Each topic enters its checks when it is imported."""

from pytest_ckpt.checks import economy, fidelity, overwriting, placement, processes, resume, side_effects, strictness
from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.checks.outcome import Outcome, Outcomes, Status
from pytest_ckpt.checks.registry import CHECKS, DEFAULT_GROUPS, GROUPS, Check, get_check, select_checks

__all__ = [
    "CHECKS",
    "DEFAULT_GROUPS",
    "GROUPS",
    "Check",
    "Evidence",
    "Outcome",
    "Outcomes",
    "Status",
    "economy",
    "fidelity",
    "get_check",
    "overwriting",
    "placement",
    "processes",
    "resume",
    "select_checks",
    "side_effects",
    "strictness",
]
