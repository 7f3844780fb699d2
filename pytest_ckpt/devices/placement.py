"""Where the tensors of a run are, and which of them a load or a move has left in the wrong place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from pytest_ckpt.paths import Bracketed, spell
from pytest_ckpt.state.hidden import walk_graph
from pytest_ckpt.state.members import members_of
from pytest_ckpt.state.naming import is_optimizer_like, parameter_names

__all__ = ["Misplaced", "audit_placement", "placements"]

# Optimizers that keep their counters beside the parameters whatever their flags.
_COUNTS_ON_DEVICE = ("ASGD",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Misplaced:
    """One tensor that is in the wrong place, as strings.

    Attributes:
        path: Such as ``optimizer.state[fc.weight].exp_avg``.
        what: What it is: ``parameter``, ``plain attribute``, ``optimizer state``, ...
        where: The device it is on.
        should_be: The device it should be on; empty where the place is not what is wrong.
        remedy: One sentence: what to change.
    """

    path: str
    what: str
    where: str
    should_be: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.where}, should be on {self.should_be}" if self.should_be else self.where
        return f"{self.path} ({self.what}): on {place}. {self.remedy}"


def placements(
    components: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None
) -> dict[str, str]:
    """Return the device of every tensor that a run holds, by path; nothing is copied or kept alive.

    Args:
        components: Name to component.
        functions: Name to function, such as the step, whose closures and owners belong to the run.
    """
    graph = walk_graph(components, functions or {})
    found = {
        spell((slot.path, *keys)): str(tensor.device)
        for slot in graph.slots.values()
        for keys, tensor in _plain_tensors(slot.value)
    }
    names = parameter_names(members_of(components))
    for component, module in _modules(components):
        members = [*module.named_parameters(), *module.named_buffers()]
        found |= {f"{component}.{name}": str(tensor.device) for name, tensor in members}
    for component, optimizer in _optimizers(components):
        for path, tensor, _, _ in _optimizer_state(component, optimizer, names):
            found[path] = str(tensor.device)
    return found


def audit_placement(
    components: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]] | None = None,
    *,
    before: Mapping[str, str] | None = None,
    moved: Mapping[str, str] | None = None,
) -> tuple[Misplaced, ...]:
    """Find tensors that are in the wrong place after a load.

    Without ``before`` only what is wrong by itself is reported: tensors in plain attributes that ``.to()`` left
    behind, optimizer state away from its parameter, an optimizer that holds other parameters than the model's.
    A plain attribute may be on the CPU on purpose; whether it was there when the run saved, only ``before`` knows.

    Args:
        components: Name to component, after the load.
        functions: As for :func:`placements`.
        before: What :func:`placements` returned for the run that saved. What was apart then may be apart now: a
            model split over devices, averaged weights kept on the CPU.
        moved: Device then to device now, for a load on another machine, such as ``{"cuda:1": "cuda:0"}``.
    """
    found = {item.path: item for item in _always_wrong(components, before or {})}
    if before is not None:
        for path, where in placements(components, functions).items():
            should = (moved or {}).get(before.get(path, where), before.get(path, where))
            if where != should and path not in found:
                found[path] = _elsewhere(path, where, should)
    return tuple(found[path] for path in sorted(found))


def _always_wrong(components: Mapping[str, Any], before: Mapping[str, str]) -> Iterator[Misplaced]:
    for component, module in _modules(components):
        yield from _left_behind(component, module, before)
    names = parameter_names(members_of(components))
    for component, optimizer in _optimizers(components):
        for path, tensor, parameter, on_device in _optimizer_state(component, optimizer, names):
            yield from _apart(path, tensor, parameter, on_device)
        yield from _strangers(component, optimizer, components, names)


def _left_behind(component: str, module: torch.nn.Module, before: Mapping[str, str]) -> Iterator[Misplaced]:
    """Find tensors in plain attributes that are not where the parameters beside them are."""
    for prefix, part in module.named_modules():
        home = _home(part) or _home(module)
        for keys, tensor in _plain_tensors({k: v for k, v in vars(part).items() if not k.startswith("_")}):
            path = spell((component, *prefix.split("."), *keys) if prefix else (component, *keys))
            where = str(tensor.device)
            # A number without dimensions may stay on the CPU: operators take it from there.
            if home is None or where == home or (tensor.dim() == 0 and where == "cpu") or before.get(path) == where:
                continue
            remedy = f"Register it with register_buffer({str(keys[0])!r}, ..., persistent=False): .to() moves buffers."
            yield Misplaced(path=path, what="plain attribute", where=where, should_be=home, remedy=remedy)


def _home(module: torch.nn.Module) -> str | None:
    """Return the device of a module's parameters and buffers, if it is one."""
    places = {str(tensor.device) for tensor in [*module.parameters(), *module.buffers()]}
    return places.pop() if len(places) == 1 else None


def _plain_tensors(value: Any, keys: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield keys, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _plain_tensors(item, (*keys, key))
    elif isinstance(value, list | tuple) and len(value) < 1000:
        for index, item in enumerate(value):
            yield from _plain_tensors(item, (*keys, index))


def _optimizer_state(
    component: str, optimizer: Any, names: Mapping[int, str]
) -> Iterator[tuple[str, torch.Tensor, torch.Tensor, bool]]:
    """Yield the path of each tensor of an optimizer's state, itself, its parameter, and whether it must be there."""
    positions: dict[int, int] = {}
    for group in optimizer.param_groups:
        on_device = bool(group.get("capturable") or group.get("fused"))
        for parameter in group["params"]:
            position = positions.setdefault(id(parameter), len(positions))
            name = Bracketed(names.get(id(parameter), f"#{position}"))
            for keys, tensor in _plain_tensors(_state_of(optimizer, parameter)):
                yield spell((component, "state", name, *keys)), tensor, parameter, on_device


def _state_of(optimizer: Any, parameter: Any) -> Any:
    state = getattr(optimizer, "state", None)
    # Looked up without making an entry: it is a defaultdict.
    return state[parameter] if isinstance(state, Mapping) and parameter in state else {}


def _apart(path: str, tensor: torch.Tensor, parameter: torch.Tensor, on_device: bool) -> Iterator[Misplaced]:
    """Find state away from its parameter.

    Where ``capturable`` and ``fused`` are off, torch keeps counters on the CPU and moves none of them when it loads
    (``torch.optim.Optimizer._process_value_according_to_param_policy``); otherwise all state is with its parameter.
    """
    where, home = str(tensor.device), str(parameter.device)
    if where == home or (tensor.dim() == 0 and not on_device and where == "cpu"):
        return
    yield Misplaced(
        path=path,
        what="optimizer state",
        where=where,
        should_be=home,
        remedy="Move the model to its device first, and then load the optimizer's state with load_state_dict().",
    )


def _strangers(
    component: str, optimizer: Any, components: Mapping[str, Any], names: Mapping[int, str]
) -> Iterator[Misplaced]:
    """Find parameters of an optimizer that were the model's once: the model has one like each that nothing trains."""
    held = {id(p) for _, item in _optimizers(components) for group in item.param_groups for p in group["params"]}
    members = [p for _, module in _modules(components) for p in module.parameters()]
    orphans = [p for p in members if p.requires_grad and id(p) not in held]
    for index, group in enumerate(optimizer.param_groups):
        for position, parameter in enumerate(group["params"]):
            if id(parameter) in names:
                continue
            like = next((p for p in orphans if p.shape == parameter.shape and p.dtype == parameter.dtype), None)
            if like is not None:
                orphans = [p for p in orphans if p is not like]
                yield Misplaced(
                    path=f"{component}.param_groups[{index}].params[{position}]",
                    what="parameter that is not the model's",
                    where=str(parameter.device),
                    should_be="",
                    remedy=f"The model's {names[id(like)]} is trained by no optimizer: make the optimizer after "
                    "load_state_dict(assign=True) or after any other step that replaces the model's parameters.",
                )


def _elsewhere(path: str, where: str, should: str) -> Misplaced:
    return Misplaced(
        path=path,
        what="state of the run",
        where=where,
        should_be=should,
        remedy="Load it to the device it was on, with map_location or with .to() after the load.",
    )


def _modules(components: Mapping[str, Any]) -> list[tuple[str, torch.nn.Module]]:
    return [(name, item) for name, item in components.items() if isinstance(item, torch.nn.Module)]


def _optimizers(components: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, item) for name, item in components.items() if is_optimizer_like(item)]
