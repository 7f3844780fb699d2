"""``capture()``: a frozen picture of a run's components in memory, hidden state included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from pytest_ckpt.errors import UsageError
from pytest_ckpt.state.freezing import freeze, generator_state
from pytest_ckpt.state.members import members_of
from pytest_ckpt.state.naming import is_optimizer_like, named_optimizer_state, parameter_names
from pytest_ckpt.state.random_state import get_random_state
from pytest_ckpt.state.sharing import sharing_groups
from pytest_ckpt.state.traits import hidden_module_state, module_traits

__all__ = ["StateTree", "capture", "is_stateful", "live_state", "read_component", "view"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StateTree:
    """A frozen picture of a run; every value is a copy.

    Attributes:
        state: What each component's ``state_dict()`` holds, optimizer state keyed by parameter name.
        raw: The same copies as ``state_dict()`` gave them, fit for ``load_state_dict``.
        traits: Per module component, what a parameter is beside its values: class, ``requires_grad``.
        sharing: Groups of paths whose tensors share storage, and of paths that are one object.
        hidden: What state dicts leave out: non-persistent buffers, modes, strides, gradients, random state.
    """

    state: dict[str, Any]
    raw: dict[str, Any]
    traits: dict[str, Any]
    sharing: dict[str, tuple[str, ...]]
    hidden: dict[str, Any] = field(default_factory=dict)


def is_stateful(value: Any) -> bool:
    """Whether a value follows ``torch.distributed.checkpoint.stateful.Stateful``, or is a random generator."""
    if isinstance(value, type):
        return False
    try:
        follows = all(callable(getattr(value, name, None)) for name in ("state_dict", "load_state_dict"))
    except Exception:  # a __getattr__ that raises something else than AttributeError
        return False
    return follows or generator_state(value) is not None


def capture(components: Any, *, hidden: bool = True) -> StateTree:
    """Take a frozen picture of a run's components.

    Args:
        components: A mapping of name to stateful object, or one stateful object. Reading it calls
            ``state_dict()`` once for each.
        hidden: Also picture what state dicts leave out: non-persistent buffers, train/eval modes,
            strides, gradients and the global random state.

    Raises:
        UsageError: If a component cannot be read.
    """
    if not isinstance(components, Mapping):
        components = {"model" if isinstance(components, torch.nn.Module) else "component": components}
    return _picture(components, {name: read_component(name, item) for name, item in components.items()}, hidden=hidden)


def view(components: Mapping[str, Any]) -> StateTree:
    """Return what :func:`capture` does, hidden state aside, with live values in place of copies.

    It is good until something happens to the run. Where a copy is another kind of thing, such as the picture of an
    object, only :func:`freeze` makes this state what a capture's is.

    Raises:
        UsageError: If a component cannot be read.
    """
    return _picture(components, {name: live_state(name, item) for name, item in components.items()}, hidden=False)


def _picture(components: Mapping[str, Any], raw: dict[str, Any], *, hidden: bool) -> StateTree:
    modules = members_of(components)
    names = parameter_names(modules)
    return StateTree(
        state={
            name: named_optimizer_state(item, raw[name], names) if is_optimizer_like(item) else raw[name]
            for name, item in components.items()
        },
        raw=raw,
        traits={name: module_traits(members) for name, members in modules.items()},
        sharing=sharing_groups(components, modules, names),
        hidden=_hidden({name: components[name] for name in modules}) if hidden else {},
    )


def _hidden(modules: Mapping[str, torch.nn.Module]) -> dict[str, Any]:
    state: dict[str, Any] = {name: hidden_module_state(module) for name, module in modules.items()}
    state["rng"] = get_random_state()
    return state


def read_component(name: str, component: Any) -> Any:
    """Return a frozen copy of what a component's ``state_dict()`` holds.

    Plain containers, tensors and random generators stand for themselves.

    Raises:
        UsageError: If the component has no ``state_dict``.
    """
    return freeze(live_state(name, component))


def live_state(name: str, component: Any) -> Any:
    """Return what :func:`read_component` copies.

    Raises:
        UsageError: If the component has no ``state_dict``.
    """
    if callable(getattr(component, "state_dict", None)) and not isinstance(component, type):
        return component.state_dict()
    if isinstance(component, (Mapping, list, tuple, torch.Tensor)):
        return component
    if (state := generator_state(component)) is not None:
        return state
    raise UsageError(
        f"The component {name!r} is a {type(component).__qualname__}, which has no state_dict(). "
        "Give it state_dict() and load_state_dict(), or leave it out of components."
    )
