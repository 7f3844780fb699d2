"""The parts of a run that a bug can do damage to, and their states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from pytest_ckpt.comparison import compare
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.runs.restoring import restore_component
from pytest_ckpt.state import capture, freeze
from pytest_ckpt.state.naming import is_optimizer_like
from pytest_ckpt.state.tensors import is_initialized

__all__ = ["forget", "is_scheduler", "kind_of", "modules", "optimizers", "states", "tensors", "tensors_of_state"]


def modules(run: LiveRun) -> list[torch.nn.Module]:
    """Return the components that are modules."""
    return [item for item in run.components.values() if isinstance(item, torch.nn.Module)]


def optimizers(run: LiveRun) -> list[Any]:
    """Return the components that are optimizers and keep state by parameter."""
    found = [item for item in run.components.values() if is_optimizer_like(item)]
    return [item for item in found if hasattr(getattr(item, "state", None), "items")]


def is_scheduler(component: Any) -> bool:
    """Whether a component is a learning-rate scheduler, of torch or made like one."""
    return not is_optimizer_like(component) and hasattr(component, "last_epoch")


def kind_of(component: Any) -> str:
    """Return what a component is: module, optimizer, scheduler, or other."""
    if isinstance(component, torch.nn.Module):
        return "module"
    return "optimizer" if is_optimizer_like(component) else "scheduler" if is_scheduler(component) else "other"


def tensors(run: LiveRun) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the live floating-point tensors in the modules' state dicts, by path."""
    for name, component in run.components.items():
        if isinstance(component, torch.nn.Module):
            for key, value in component.state_dict().items():
                if _is_plain(value):
                    yield f"{name}.{key}", value


def tensors_of_state(run: LiveRun) -> Iterator[torch.Tensor]:
    """Yield the floating-point tensors that optimizers keep for their parameters, counts of steps aside."""
    for optimizer in optimizers(run):
        for state in optimizer.state.values():
            for key, value in state.items() if isinstance(state, dict) else ():
                if key != "step" and _is_plain(value):
                    yield value


def _is_plain(value: Any) -> bool:
    if not isinstance(value, torch.Tensor) or not is_initialized(value):
        return False
    return value.layout is torch.strided and value.is_floating_point()


def states(run: LiveRun) -> dict[str, Any]:
    """Return frozen copies of the components' states, fit to be loaded again."""
    return capture(run.components, hidden=False).raw


def forget(run: LiveRun, noted: dict[str, Any], which: Callable[[Any], bool]) -> bool:
    """Give the first component of a kind that is in another state its noted one back; return whether there is one."""
    now = states(run)
    for name, component in run.components.items():
        if name in noted and which(component) and compare(noted[name], now[name], traits=False):
            restore_component(name, component, freeze(noted[name]))
            return True
    return False
