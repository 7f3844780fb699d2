"""Checkpoint round-trip testing of PyTorch programs.

Names are loaded on first use: pytest imports this package at every start, and must not pay for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pytest_ckpt.checks.outcome import Outcome, Outcomes
    from pytest_ckpt.comparison.walk import compare
    from pytest_ckpt.errors import CheckpointFailure, CkptError, MissingDependencyError, UsageError
    from pytest_ckpt.faults.injection import Injection, SelfTest
    from pytest_ckpt.plugin.parametrization import parametrize_with_checks
    from pytest_ckpt.running import check_training_run
    from pytest_ckpt.runs.parts import module_run, optimizer_run, scheduler_run
    from pytest_ckpt.runs.training_run import TrainingRun
    from pytest_ckpt.self_testing import selftest
    from pytest_ckpt.state.capture import capture
    from pytest_ckpt.warm_start import check_warm_start

_HOMES = {
    "CheckpointFailure": "pytest_ckpt.errors",
    "CkptError": "pytest_ckpt.errors",
    "Injection": "pytest_ckpt.faults.injection",
    "MissingDependencyError": "pytest_ckpt.errors",
    "Outcome": "pytest_ckpt.checks.outcome",
    "Outcomes": "pytest_ckpt.checks.outcome",
    "SelfTest": "pytest_ckpt.faults.injection",
    "TrainingRun": "pytest_ckpt.runs.training_run",
    "UsageError": "pytest_ckpt.errors",
    "capture": "pytest_ckpt.state.capture",
    "check_training_run": "pytest_ckpt.running",
    "check_warm_start": "pytest_ckpt.warm_start",
    "compare": "pytest_ckpt.comparison.walk",
    "module_run": "pytest_ckpt.runs.parts",
    "optimizer_run": "pytest_ckpt.runs.parts",
    "parametrize_with_checks": "pytest_ckpt.plugin.parametrization",
    "scheduler_run": "pytest_ckpt.runs.parts",
    "selftest": "pytest_ckpt.self_testing",
}

__all__ = [
    "CheckpointFailure",
    "CkptError",
    "Injection",
    "MissingDependencyError",
    "Outcome",
    "Outcomes",
    "SelfTest",
    "TrainingRun",
    "UsageError",
    "capture",
    "check_training_run",
    "check_warm_start",
    "compare",
    "module_run",
    "optimizer_run",
    "parametrize_with_checks",
    "scheduler_run",
    "selftest",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
