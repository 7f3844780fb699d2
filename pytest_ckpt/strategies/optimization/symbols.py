"""Arguments that a recipe names and that each build makes anew: tensors, functions, shares of a learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

__all__ = ["Curve", "Decay", "OfLr", "ScalarTensor", "halve", "resolve"]


@dataclass(frozen=True, slots=True, repr=False)
class ScalarTensor:
    """A tensor without dimensions; each build has its own, because schedulers fill learning rates in place."""

    value: float

    def __repr__(self) -> str:
        return f"torch.tensor({self.value!r})"

    def resolve(self, rates: Sequence[float]) -> torch.Tensor:
        """Return a new tensor."""
        return torch.tensor(self.value)


@dataclass(frozen=True, slots=True, repr=False)
class OfLr:
    """So many times the optimizer's learning rate."""

    factor: float

    def __repr__(self) -> str:
        return f"{self.factor!r} * lr"

    def resolve(self, rates: Sequence[float]) -> float | list[float]:
        """Return one number, or one for each group where they differ."""
        shares = [self.factor * rate for rate in rates]
        return shares if len(set(shares)) > 1 else shares[0]


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

    def resolve(self, rates: Sequence[float]) -> Callable[[float], float]:
        """Return the function."""
        if self.form == "lambda":
            return lambda step: float(0.9**step)
        return halve if self.form == "function" else Decay(0.8)


def resolve(options: Mapping[str, Any], rates: Sequence[float] = ()) -> dict[str, Any]:
    """Return keyword arguments with what they name in its place.

    Args:
        options: The keyword arguments.
        rates: The learning rate of each param group, where a scheduler's arguments are shares of it.
    """
    symbols = (ScalarTensor, OfLr, Curve)
    return {key: value.resolve(rates) if isinstance(value, symbols) else value for key, value in options.items()}
