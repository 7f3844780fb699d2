"""Hypothesis strategies for the parts of training programs."""

from __future__ import annotations

from pytest_ckpt.strategies.building import optimizers, schedulers
from pytest_ckpt.strategies.companions import averaged_models, scalers
from pytest_ckpt.strategies.optimizer_kinds import register_optimizer
from pytest_ckpt.strategies.scheduler_kinds import register_scheduler

__all__ = [
    "averaged_models",
    "optimizers",
    "register_optimizer",
    "register_scheduler",
    "scalers",
    "schedulers",
]
