"""What differs between two states beside values, and which of it is trained."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.state import StateTree
from pytest_ckpt.state.naming import is_optimizer_like

__all__ = ["is_trained", "trait_mismatches"]


def trait_mismatches(expected: StateTree, actual: StateTree) -> Iterator[Mismatch]:
    """Yield how traits and sharing differ."""
    yield from compare(expected.traits, actual.traits)
    yield from compare(expected.sharing, actual.sharing)


def is_trained(run: LiveRun, tree: StateTree, path: str) -> bool:
    """Whether a path leads to what is trained: a floating-point tensor of a model or an optimizer."""
    for name, component in run.components.items():
        if not path.startswith((f"{name}.", f"{name}[")):
            continue
        if is_optimizer_like(component):
            return True
        if isinstance(component, torch.nn.Module):
            tensor = tree.state[name].get(path.removeprefix(f"{name}."))
            return isinstance(tensor, torch.Tensor) and (tensor.is_floating_point() or tensor.is_complex())
    return False
