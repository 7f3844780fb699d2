"""Names for parameters, and an optimizer's state keyed by them instead of by position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_ckpt.paths import Bracketed
from pytest_ckpt.state.members import Members

__all__ = ["is_optimizer_like", "named_optimizer_state", "parameter_names"]


def parameter_names(modules: Mapping[str, Members]) -> dict[int, str]:
    """Map ``id(parameter)`` to its name; the component's name stands before it where there are several modules."""
    names: dict[int, str] = {}
    for component, members in modules.items():
        prefix = f"{component}." if len(modules) > 1 else ""
        for name, parameter in members.parameters:
            names.setdefault(id(parameter), prefix + name)
    return names


def is_optimizer_like(component: Any) -> bool:
    """Whether a component has ``param_groups`` as optimizers, and wrappers around them, have."""
    try:
        groups = component.param_groups
    except Exception:  # not only AttributeError: a __getattr__ may raise what it likes
        return False
    return isinstance(groups, list) and all(isinstance(g, dict) and "params" in g for g in groups)


def named_optimizer_state(optimizer: Any, state_dict: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Any]:
    """Return an optimizer's frozen ``state_dict`` with parameter names in place of positions.

    torch matches optimizer state by position (``Optimizer.load_state_dict``), so equal positions can
    hold the state of different parameters. A parameter that no module component holds is called
    ``#<position>``. A state dict of another form is returned as it is.
    """
    if not isinstance(state_dict, Mapping):
        return state_dict
    groups, state = state_dict.get("param_groups"), state_dict.get("state")
    if (
        not isinstance(groups, list)
        or not isinstance(state, Mapping)
        or not all(isinstance(g, Mapping) for g in groups)
    ):
        return dict(state_dict)
    by_index: dict[Any, Bracketed] = {}
    named_groups = []
    for live, group in zip(optimizer.param_groups, groups, strict=False):
        indices = group.get("params", [])
        for index, parameter in zip(indices, live["params"], strict=False):
            by_index[index] = Bracketed(names.get(id(parameter), f"#{index}"))
        named_groups.append({**group, "params": [str(by_index.get(i, i)) for i in indices]})
    named = {by_index.get(index, index): value for index, value in state.items()}
    return {**state_dict, "state": named, "param_groups": named_groups}
