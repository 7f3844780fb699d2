"""Each custom part is checked without a training program: the plugin trains it among small companions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from pytest_ckpt import (
    CheckpointFailure,
    check_training_run,
    module_run,
    optimizer_run,
    parametrize_with_checks,
    scheduler_run,
)

from .layer import ForgetfulStandardize, Standardize
from .optimizer import ForgetfulSignMomentum, SignMomentum
from .schedule import ForgetfulStairs, Stairs


def make_inputs() -> Tensor:
    return torch.randn(16, 4)


@parametrize_with_checks(module_run(lambda: Standardize(4), inputs=make_inputs))
def test_layer(check: Callable[[], Any]) -> None:
    check()


@parametrize_with_checks(optimizer_run(lambda params: SignMomentum(params)))
def test_optimizer(check: Callable[[], Any]) -> None:
    check()


@parametrize_with_checks(scheduler_run(lambda optimizer: Stairs(optimizer)))
def test_schedule(check: Callable[[], Any]) -> None:
    check()


@pytest.mark.parametrize(
    ("make_run", "lost"),
    [
        pytest.param(
            module_run(lambda: ForgetfulStandardize(4), inputs=make_inputs),
            r"model\.batches",
            id="extra-state-ignored",
        ),
        pytest.param(
            optimizer_run(lambda params: ForgetfulSignMomentum(params)),
            r"optimizer\.averages",
            id="momentum-outside-state",
        ),
        pytest.param(
            scheduler_run(lambda optimizer: ForgetfulStairs(optimizer)),
            r"scheduler\.waited",
            id="counter-left-out",
        ),
    ],
)
def test_forgetful_part_is_caught(make_run: Callable[[], Any], lost: str) -> None:
    with pytest.raises(CheckpointFailure, match=lost):
        check_training_run(make_run)
