"""Putting a saved state back into live components."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from typing import Any

import torch

from pytest_ckpt.errors import UsageError
from pytest_ckpt.state.freezing import ObjectPicture, generator_state
from pytest_ckpt.state.naming import is_optimizer_like

__all__ = ["fill", "load_order", "restore_component", "restore_generator"]


def load_order(components: Mapping[str, Any]) -> list[str]:
    """Order component names as torch needs them loaded: modules, then optimizers, then the rest."""

    def rank(name: str) -> int:
        component = components[name]
        return 0 if isinstance(component, torch.nn.Module) else 1 if is_optimizer_like(component) else 2

    return sorted(components, key=rank)


def restore_component(name: str, component: Any, state: Any) -> None:
    """Load a state into a component; plain containers, tensors and generators are overwritten in place.

    Raises:
        UsageError: If the component cannot be loaded into.
    """
    if callable(getattr(component, "load_state_dict", None)):
        component.load_state_dict(state)
    elif isinstance(component, torch.Tensor):
        with torch.no_grad():
            component.copy_(state)
    elif isinstance(component, dict):
        _restore_dict(component, state)
    elif isinstance(component, list):
        component[:] = state
    elif generator_state(component) is not None:
        restore_generator(component, state)
    else:
        raise UsageError(
            f"The component {name!r} is a {type(component).__qualname__}, which has no load_state_dict(). "
            "Add one, or give TrainingRun save= and load=."
        )


def _restore_dict(component: dict[Any, Any], state: Mapping[Any, Any]) -> None:
    for key in component.keys() - state.keys():
        del component[key]
    for key, value in state.items():
        current = component.get(key)
        if isinstance(current, torch.Tensor) and isinstance(value, torch.Tensor) and current.shape == value.shape:
            with torch.no_grad():
                current.copy_(value)  # The training may hold this very tensor.
        else:
            component[key] = value


def restore_generator(generator: Any, state: Any) -> None:
    """Give a random generator of python, numpy or torch the state of another one."""
    if isinstance(generator, random.Random):
        generator.setstate((state[0], tuple(state[1]), state[2]))
    elif isinstance(generator, torch.Generator):
        generator.set_state(state)
    elif hasattr(generator, "bit_generator"):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)


def fill(current: Any, value: Any) -> bool:
    """Overwrite a live value in place, so that whoever holds it sees the change; say whether that was possible.

    Args:
        current: The live value: a generator, a tensor, or a container.
        value: What it becomes: a generator or the picture of one, a tensor of the same shape, or a container.
    """
    if generator_state(current) is not None:
        state = value.attributes["state"] if isinstance(value, ObjectPicture) else generator_state(value)
        restore_generator(current, state)
    elif isinstance(value, torch.Tensor) and isinstance(current, torch.Tensor):
        if (value.shape, value.dtype) != (current.shape, current.dtype):
            return False
        with torch.no_grad():
            current.copy_(value)
    elif isinstance(value, list | deque) and isinstance(current, list | deque):
        if getattr(value, "maxlen", None) != getattr(current, "maxlen", None):
            return False
        items = [_filled(old, new) for old, new in zip(current, value, strict=False)] + list(value)[len(current) :]
        current.clear()
        current.extend(items)
    elif isinstance(value, dict) and isinstance(current, dict):
        entries = {key: _filled(current[key], new) if key in current else new for key, new in value.items()}
        current.clear()
        current.update(entries)
    else:
        return False
    return True


def _filled(current: Any, value: Any) -> Any:
    """Return the old item with its new contents, for whoever else holds it, or the new one."""
    return current if fill(current, value) else value
