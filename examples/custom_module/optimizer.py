"""SGD with momentum that follows the sign, and one that keeps its momentum where no state dict looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class SignMomentum(Optimizer):
    """Steps by the sign of a running average of the gradient, which is in ``state``."""

    def __init__(self, params: Iterable[Tensor], lr: float = 1e-2, beta: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "beta": beta})

    def momentum(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum"]
        return momentum

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    momentum = self.momentum(parameter).lerp_(parameter.grad, 1 - group["beta"])
                    parameter.sub_(momentum.sign(), alpha=group["lr"])


class ForgetfulSignMomentum(SignMomentum):
    """Keeps the average in an attribute: ``state_dict()`` has param groups and no state."""

    def momentum(self, parameter: Tensor) -> Tensor:
        if not hasattr(self, "averages"):
            self.averages: dict[Tensor, Tensor] = {}
        return self.averages.setdefault(parameter, torch.zeros_like(parameter))
