"""Ways to make each scheduler of torch; torch has no database of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import torch
from torch.optim import lr_scheduler

__all__ = ["SCHEDULERS"]

MakeScheduler: TypeAlias = Callable[[torch.optim.Optimizer], Any]


class Decay:
    """A function with a state, which LambdaLR saves."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, epoch: float) -> float:
        self.calls += 1
        return float(0.9**epoch)


def decay(epoch: float) -> float:
    """Return a factor."""
    return float(0.9**epoch)


def _sequential(optimizer: torch.optim.Optimizer) -> Any:
    parts = [lr_scheduler.ConstantLR(optimizer, total_iters=2), lr_scheduler.ExponentialLR(optimizer, gamma=0.9)]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[2])


def _sequential_with_restarts(optimizer: torch.optim.Optimizer) -> Any:
    parts = [lr_scheduler.LinearLR(optimizer), lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[3])


def _chained(optimizer: torch.optim.Optimizer) -> Any:
    parts = [lr_scheduler.ConstantLR(optimizer, total_iters=2), lr_scheduler.ExponentialLR(optimizer, gamma=0.9)]
    return lr_scheduler.ChainedScheduler(parts, optimizer)


def _one_of_each(scheduler: type[lr_scheduler.LRScheduler], **options: Any) -> Mapping[str, MakeScheduler]:
    """Return one way to make a scheduler, and its name."""
    return {scheduler.__name__: partial(scheduler, **options)}


_cyclic = partial(lr_scheduler.CyclicLR, base_lr=1e-3, max_lr=1e-2, step_size_up=2)


SCHEDULERS: Mapping[str, Mapping[str, MakeScheduler]] = {
    "LambdaLR": {
        "LambdaLR(lambda)": partial(lr_scheduler.LambdaLR, lr_lambda=lambda epoch: 0.9**epoch),
        "LambdaLR(function)": partial(lr_scheduler.LambdaLR, lr_lambda=decay),
        "LambdaLR(object)": lambda optimizer: lr_scheduler.LambdaLR(optimizer, Decay()),
    },
    "MultiplicativeLR": {
        "MultiplicativeLR(lambda)": partial(lr_scheduler.MultiplicativeLR, lr_lambda=lambda epoch: 0.9),
        "MultiplicativeLR(object)": lambda optimizer: lr_scheduler.MultiplicativeLR(optimizer, Decay()),
    },
    "StepLR": _one_of_each(lr_scheduler.StepLR, step_size=2),
    "MultiStepLR": _one_of_each(lr_scheduler.MultiStepLR, milestones=[1, 3, 3]),
    "ConstantLR": _one_of_each(lr_scheduler.ConstantLR, total_iters=3),
    "LinearLR": _one_of_each(lr_scheduler.LinearLR, total_iters=4),
    "ExponentialLR": _one_of_each(lr_scheduler.ExponentialLR, gamma=0.9),
    "SequentialLR": {
        "SequentialLR(constant, exponential)": _sequential,
        "SequentialLR(linear, warm restarts)": _sequential_with_restarts,
    },
    "ChainedScheduler": {"ChainedScheduler(constant, exponential)": _chained},
    "PolynomialLR": _one_of_each(lr_scheduler.PolynomialLR, total_iters=8, power=2.0),
    "CosineAnnealingLR": _one_of_each(lr_scheduler.CosineAnnealingLR, T_max=4),
    "ReduceLROnPlateau": {
        "ReduceLROnPlateau(min)": partial(lr_scheduler.ReduceLROnPlateau, patience=0),
        "ReduceLROnPlateau(max)": partial(
            lr_scheduler.ReduceLROnPlateau, mode="max", patience=1, threshold_mode="abs", cooldown=1, min_lr=[1e-4]
        ),
    },
    "CyclicLR": {
        **{
            f"CyclicLR({mode}, cycle_momentum={momentum})": partial(
                _cyclic, mode=mode, gamma=0.9, cycle_momentum=momentum
            )
            for mode in ("triangular", "triangular2", "exp_range")
            for momentum in (True, False)
        },
        "CyclicLR(function)": partial(_cyclic, scale_fn=decay, scale_mode="iterations"),
        "CyclicLR(object)": lambda optimizer: _cyclic(optimizer, scale_fn=Decay()),
    },
    "CosineAnnealingWarmRestarts": {
        f"CosineAnnealingWarmRestarts(T_mult={factor})": partial(
            lr_scheduler.CosineAnnealingWarmRestarts, T_0=2, T_mult=factor
        )
        for factor in (1, 2)
    },
    "OneCycleLR": {
        f"OneCycleLR({strategy}, three_phase={three_phase})": partial(
            lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=10, anneal_strategy=strategy, three_phase=three_phase
        )
        for strategy in ("cos", "linear")
        for three_phase in (False, True)
    },
}
