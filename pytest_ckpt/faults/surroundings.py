"""Random state and modes, which no state dict holds."""

from __future__ import annotations

import random
import sys
from typing import Any

import torch

from pytest_ckpt.faults.fault import Fault
from pytest_ckpt.faults.parts import modules
from pytest_ckpt.faults.trying import fault_of_load, fault_of_save
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.state import get_random_state, set_random_state

__all__ = ["SURROUNDINGS"]


def _random_state(run: LiveRun) -> dict[str, Any]:
    return get_random_state()


def _keep_random_state(run: LiveRun, noted: dict[str, Any]) -> None:
    set_random_state(noted)


def _draw(run: LiveRun, noted: object) -> None:
    torch.rand(())
    random.random()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.random()


def _leave_eval_mode(run: LiveRun, noted: object) -> None:
    for module in modules(run):
        module.eval()


_NO_RANDOM_STATE = "Training does not depend on the global random state."
_NO_MODE = "Training does not depend on the mode that modules are in between two steps."

SURROUNDINGS: tuple[Fault, ...] = (
    fault_of_load(
        "keep_random_state",
        "load restores everything but the random state, so dropout and shuffling differ.",
        ("resume_is_exact",),
        before=_random_state,
        after=_keep_random_state,
        otherwise=_NO_RANDOM_STATE,
    ),
    fault_of_load(
        "eval_mode_after_load",
        "load evaluates once and leaves the model in eval mode, so dropout is off from then on.",
        ("resume_is_exact",),
        after=_leave_eval_mode,
        otherwise=_NO_MODE,
    ),
    fault_of_save(
        "save_draws_random_numbers",
        "save writes a sample drawn from the global generator next to the checkpoint.",
        after=_draw,
        otherwise=_NO_RANDOM_STATE,
    ),
    fault_of_save(
        "save_leaves_eval_mode",
        "save evaluates the model first and does not go back to training mode.",
        after=_leave_eval_mode,
        otherwise=_NO_MODE,
    ),
)
