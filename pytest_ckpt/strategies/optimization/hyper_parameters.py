"""Which values the arguments of torch's optimizers may have: such that a few steps of a small network stay finite.

Everything here holds on a CPU. ``capturable`` is refused there, and ``differentiable`` needs parameters that are no
leaves, so neither is drawn.
"""

from __future__ import annotations

from typing import Any

from pytest_ckpt.strategies.optimization.choices import Choice
from pytest_ckpt.strategies.optimization.symbols import ScalarTensor

__all__ = ["COMMON", "FUSED", "IMPLEMENTATION", "NESTEROV", "NOT_WITH_SPARSE", "PER_GROUP", "TORCH", "implementations"]

COMMON: dict[str, tuple[Any, ...]] = {
    "lr": (0.01, 0.1, 0.001),
    "betas": ((0.9, 0.99), (0.5, 0.9)),
    "eps": (1e-6,),
    "weight_decay": (0.1, 0.01),
    "momentum": (0.9, 0.5),
}
"""By name; these mean the same in everybody's optimizers."""

TORCH: dict[str, tuple[Any, ...]] = COMMON | {
    "alpha": (0.5,),
    "beta2_decay": (-0.5,),
    "d": (2.0,),
    "dampening": (0.5,),
    "eps": (1e-6, (1e-30, 1e-3)),  # the pair is Adafactor's
    "etas": ((0.4, 1.5),),
    "history_size": (2, 1),
    "initial_accumulator_value": (0.1,),
    "lambd": (0.01,),
    "line_search_fn": ("strong_wolfe",),
    "lr_decay": (0.1,),
    "max_eval": (3,),
    "max_iter": (1, 4),
    "momentum_decay": (0.1,),
    "ns_steps": (1, 3),
    "adjust_lr_fn": ("original", "match_rms_adamw"),
    "rho": (0.5,),
    "step_sizes": ((1e-5, 1.0),),
    "t0": (2.0,),  # ASGD begins to average after so many steps
}
"""By name, in ``torch.optim``."""

PER_GROUP = ("betas", "lr", "momentum", "weight_decay")
"""What one group may have otherwise than another."""

NESTEROV: Choice = (
    {},
    {"momentum": 0.9},
    {"momentum": 0.5, "dampening": 0.5},
    {"momentum": 0.9, "nesterov": True},
)
"""Where ``nesterov`` is off by default, it needs a momentum and no dampening."""

IMPLEMENTATION = ("foreach", "fused", "capturable", "differentiable")
"""The arguments that say how a step is computed, not what."""

FUSED = ("SGD", "Adam", "AdamW", "Adagrad")
"""The classes whose ``fused`` runs on a CPU."""

NOT_WITH_SPARSE: dict[str, tuple[str, ...]] = {
    "SGD": ("fused", "weight_decay"),
    "SparseAdam": (),
    "Adagrad": ("fused", "weight_decay"),
}
"""By class that takes sparse gradients: what it refuses with them."""


def implementations(name: str, *, foreach: bool, tensor_lr: bool) -> Choice:
    """Return the ways in which a class may compute its step.

    A learning rate in a tensor is one of them: ``foreach=True`` refuses it.
    """
    fused = name in FUSED
    found: list[dict[str, Any]] = [{}]
    found += [{"foreach": False}, {"foreach": True}] if foreach else []
    found += [{"fused": True}] if fused else []
    found += [{"lr": ScalarTensor(0.01)}] if tensor_lr else []
    found += [{"lr": ScalarTensor(0.01), "fused": True}] if fused and tensor_lr else []
    return tuple(found)
