"""Weights computed by hooks, as torch did before it had parametrizations, as far as it still can."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

__all__ = ["OLD_STYLE", "old_spectral_norm", "old_weight_norm"]


def old_weight_norm(body: nn.Module) -> nn.Module:
    """Return the module after ``torch.nn.utils.weight_norm``."""
    return _apply("weight_norm", body)


def old_spectral_norm(body: nn.Module) -> nn.Module:
    """Return the module after ``torch.nn.utils.spectral_norm``."""
    return _apply("spectral_norm", body)


def _apply(name: str, body: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        # torch asks to use the parametrizations instead; programs that do not are what this stands for.
        warnings.simplefilter("ignore", FutureWarning)
        module: nn.Module = getattr(torch.nn.utils, name)(body)
    return module


def _those_left(wanted: dict[str, Callable[[nn.Module], nn.Module]], home: Any) -> tuple[Callable[..., nn.Module], ...]:
    return tuple(function for name, function in wanted.items() if callable(getattr(home, name, None)))


OLD_STYLE = _those_left({"weight_norm": old_weight_norm, "spectral_norm": old_spectral_norm}, torch.nn.utils)
"""Those that this version of torch has."""
