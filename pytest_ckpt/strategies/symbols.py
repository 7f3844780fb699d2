"""Arguments that a recipe names and that each build makes anew: tensors, functions, shares of a learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.optim import Optimizer

__all__ = ["Curve", "Decay", "OfLr", "ScalarTensor", "halve", "resolve"]


@dataclass(frozen=True, slots=True, repr=False)
class ScalarTensor:
    """A tensor without dimensions; each build has its own, because schedulers fill learning rates in place."""

    value: float

    def __repr__(self) -> str:
        return f"torch.tensor({self.value!r})"

    def resolve(self, optimizer: Optimizer | None) -> torch.Tensor:
        """Return a new tensor."""
        return torch.tensor(self.value)


@dataclass(frozen=True, slots=True, repr=False)
class OfLr:
    """So many times the learning rate that the optimizer was made with."""

    factor: float

    def __repr__(self) -> str:
        return f"{self.factor!r} * lr"

    def resolve(self, optimizer: Optimizer | None) -> float | list[float]:
        """Return one number, or one for each group where they differ."""
        assert optimizer is not None, "an optimizer's own argument cannot be a share of its learning rate"
        rates = [float(group.get("initial_lr", group["lr"])) * self.factor for group in optimizer.param_groups]
        return rates if len(set(rates)) > 1 else rates[0]


# No slots: LambdaLR saves the __dict__ of a callable object.
@dataclass(frozen=True)
class Decay:
    """A callable object: the factor to the power of the step."""

    factor: float

    def __call__(self, step: float) -> float:
        """Return the factor to the power of ``step``."""
        return float(self.factor**step)


def halve(step: float) -> float:
    """Return one half to the power of ``step``."""
    return float(0.5**step)


@dataclass(frozen=True, slots=True, repr=False)
class Curve:
    """A function of the step in one of the forms in which programs write them, each saved in its own way."""

    form: Literal["lambda", "function", "object"]

    def __repr__(self) -> str:
        return {"lambda": "lambda step: 0.9**step", "function": "halve", "object": "Decay(0.8)"}[self.form]

    def resolve(self, optimizer: Optimizer | None) -> Callable[[float], float]:
        """Return the function."""
        if self.form == "lambda":
            return lambda step: float(0.9**step)
        return halve if self.form == "function" else Decay(0.8)


def resolve(options: Mapping[str, Any], optimizer: Optimizer | None = None) -> dict[str, Any]:
    """Return keyword arguments with what they name in its place."""
    symbols = (ScalarTensor, OfLr, Curve)
    return {key: value.resolve(optimizer) if isinstance(value, symbols) else value for key, value in options.items()}
