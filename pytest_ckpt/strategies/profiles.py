"""How hard to look: settings of Hypothesis for tests of whole training runs, which take longer than most."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

__all__ = ["QUICK", "THOROUGH", "register_profiles"]

# The first training step of a process imports much of torch, and a step of some layers is slow by itself.
_PATIENT = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], print_blob=True
)

QUICK = settings(_PATIENT, max_examples=20, stateful_step_count=12)
"""For every run of a test suite: a test of drawn training runs takes some seconds."""

THOROUGH = settings(_PATIENT, max_examples=1000, stateful_step_count=30)
"""For a nightly run: some minutes for each test."""


def register_profiles() -> None:
    """Make both known to Hypothesis as the profiles ``ckpt-quick`` and ``ckpt-thorough``."""
    settings.register_profile("ckpt-quick", QUICK)
    settings.register_profile("ckpt-thorough", THOROUGH)
