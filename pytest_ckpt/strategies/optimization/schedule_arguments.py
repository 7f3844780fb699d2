"""Which values the arguments of torch's schedulers may have: such that six steps show the schedule."""

from __future__ import annotations

from typing import Any

from pytest_ckpt.strategies.optimization.choices import Choice
from pytest_ckpt.strategies.optimization.symbols import Curve, OfLr

__all__ = ["COMMON", "JOINT", "TORCH", "one_cycle_lengths"]

COMMON: dict[str, tuple[Any, ...]] = {
    "T_max": (3, 1, 6),
    "eta_min": (0.0, 1e-4),
    "gamma": (0.5, 0.9),
    "milestones": ([2], [1, 3], [1, 2, 4]),
    "step_size": (2, 1, 3),
    "total_iters": (3, 1, 5),
    "warmup_steps": (2, 1),
}
"""By name; these mean the same in everybody's schedulers. The first is what drawn values shrink towards."""

TORCH: dict[str, tuple[Any, ...]] = COMMON | {
    "T_0": (2, 1, 3),
    "T_mult": (1, 2),
    "anneal_epochs": (3, 1, 0),
    "anneal_strategy": ("cos", "linear"),
    "base_lr": (OfLr(0.1), OfLr(0.5)),
    "base_momentum": (0.8, 0.5),
    "cooldown": (0, 1),
    "cycle_momentum": (True, False),
    "div_factor": (25.0, 4.0),
    "end_factor": (1.0, 0.5),
    "eps": (1e-8,),
    "factor": (0.5, 0.1),
    "final_div_factor": (10000.0, 10.0),
    "lr_lambda": (Curve("object"), Curve("function"), Curve("lambda")),
    "max_lr": (OfLr(1.0), OfLr(3.0)),
    "max_momentum": (0.9, 0.95),
    "mode": ("min", "max"),
    "min_lr": (0, OfLr(0.1)),
    "patience": (0, 1, 10),
    "pct_start": (0.3, 0.5),
    "power": (1.0, 2.0),
    "start_factor": (0.5, 0.1),
    "step_size_down": (2, 1),
    "step_size_up": (2, 1, 4),
    "swa_lr": (OfLr(0.5), OfLr(2.0)),
    "threshold_mode": ("rel", "abs"),
    "three_phase": (False, True),
    "threshold": (1e-4, 0.1),
}
"""By name, in torch."""

JOINT: dict[str, Choice] = {
    "CyclicLR": (
        {},
        {"mode": "triangular2"},
        {"mode": "exp_range", "gamma": 0.9},
        {"scale_fn": Curve("object")},
        {"scale_fn": Curve("function"), "scale_mode": "iterations"},
        {"scale_fn": Curve("lambda")},
    )
}
"""By class: arguments that depend on each other."""


def one_cycle_lengths(max_steps: int) -> Choice:
    """Return the ways to tell OneCycleLR how many steps it may take; it raises at the next one."""
    # One more than steps, or the last one lies past the end; with a few alone its phases have no length.
    total = max(max_steps, 10) + 1
    return (
        {"total_steps": total},
        {"total_steps": 2 * total},
        {"epochs": 2, "steps_per_epoch": (total + 1) // 2},
    )
