"""Changes of settings that a training program may make between two steps; each is found and made here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

import torch
from torch import nn

from pytest_ckpt.state.naming import is_optimizer_like

__all__ = ["CHANGES", "Changing", "make_again", "make_change"]

Components: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Changing:
    """One kind of change.

    Attributes:
        applies: Whether a run has what it needs.
        make: Makes it.
        again: Whether a script that is started again makes it before it loads; else the checkpoint brings it back.
    """

    applies: Callable[[Components], bool]
    make: Callable[[Components], object]
    again: bool


def make_change(name: str, components: Components, predict: Callable[[], Any] = lambda: None) -> Any:
    """Make a change that :func:`checkpoint_machine` makes, in a program that it has printed.

    Args:
        name: Which, as in ``checkpoint_machine(changes=...)``.
        components: The components of the run.
        predict: Called while averaged weights are in; what it returns is returned.
    """
    if name == "swap_averages":
        return _swap_averages(components, predict)
    CHANGES[name].make(components)
    return None


def make_again(names: list[str], components: Components) -> None:
    """Make the changes that a script makes again when it is started again."""
    for name in names:
        if CHANGES[name].again:
            make_change(name, components)


def _modules(components: Components) -> Iterator[nn.Module]:
    return (item for item in components.values() if isinstance(item, nn.Module))


def _optimizers(components: Components) -> Iterator[Any]:
    return (item for item in components.values() if is_optimizer_like(item))


def _groups(components: Components) -> list[dict[str, Any]]:
    return list(chain.from_iterable(item.param_groups for item in _optimizers(components)))


def _has_learning_rates(components: Components) -> bool:
    return any(type(group.get("lr")) is float for group in _groups(components))


def _halve_learning_rates(components: Components) -> None:
    for group in _groups(components):
        if type(group.get("lr")) is float:
            group["lr"] = group["lr"] / 2


def _first_parameters(components: Components) -> list[nn.Parameter]:
    """Return the parameters of the first part of the first model that holds some and leaves others."""
    for module in _modules(components):
        parameters = list(module.parameters())
        for child in module.children():
            if 0 < len(own := list(child.parameters())) < len(parameters):
                return own
    return []


def _freeze(components: Components) -> None:
    for parameter in _first_parameters(components):
        parameter.requires_grad_(False)


def _unfreeze(components: Components) -> None:
    for parameter in _first_parameters(components):
        parameter.requires_grad_(True)


def _is_trained(components: Components) -> bool:
    return bool(found := _first_parameters(components)) and all(p.requires_grad and not _is_lazy(p) for p in found)


def _is_lazy(parameter: torch.Tensor) -> bool:
    return isinstance(parameter, nn.parameter.UninitializedParameter)


def _left_out(components: Components) -> list[nn.Parameter]:
    """Return the parameters of models that no optimizer trains."""
    known = {id(parameter) for group in _groups(components) for parameter in group["params"]}
    return [
        p
        for module in _modules(components)
        for p in module.parameters()
        if id(p) not in known and p.is_floating_point()
    ]


def _add_group(components: Components) -> None:
    parameters = [parameter.requires_grad_(True) for parameter in _left_out(components)]
    if parameters:
        next(_optimizers(components)).add_param_group({"params": parameters})


def _takes_groups(components: Components) -> bool:
    return any(callable(getattr(item, "add_param_group", None)) for item in _optimizers(components)) and bool(
        _left_out(components)
    )


def _round_weights(components: Components) -> None:
    with torch.no_grad():
        for parameter in _rounded(components):
            parameter.copy_(parameter.bfloat16())


def _rounded(components: Components) -> list[nn.Parameter]:
    every = (p for module in _modules(components) for p in module.parameters() if not _is_lazy(p))
    return [p for p in every if p.dtype is torch.float32 and p.layout is torch.strided]


def _pair(components: Components) -> tuple[tuple[nn.Module, str], nn.Parameter] | None:
    """Return where a second weight of the same shape stands, and the first."""
    for module in _modules(components):
        first: dict[torch.Size, nn.Parameter] = {}
        for part in module.modules():
            weight = getattr(part, "weight", None)
            if not isinstance(weight, nn.Parameter) or _is_lazy(weight) or weight.ndim < 2:
                continue
            if isinstance(part, torch.jit.ScriptModule):  # it takes no other parameter in its place
                continue
            if first.setdefault(weight.shape, weight) is not weight:
                return (part, "weight"), first[weight.shape]
    return None


def _tie(components: Components) -> None:
    if (found := _pair(components)) is not None:
        (part, name), weight = found
        setattr(part, name, weight)


def _schedulers(components: Components) -> list[Any]:
    return [i for i in components.values() if isinstance(i, torch.optim.lr_scheduler.LRScheduler)]


def _step_schedulers(components: Components) -> None:
    for scheduler in _schedulers(components):
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(1.0)
        else:
            scheduler.step()


_SWAPS = ((("store", "copy_to"), "restore"), (("apply_shadow",), "restore"))


def _averages(components: Components) -> Iterator[tuple[Any, tuple[str, ...], str]]:
    for item in components.values():
        for putting_in, taking_out in _SWAPS:
            names = (*putting_in, taking_out)
            if not isinstance(item, nn.Module) and all(callable(getattr(item, name, None)) for name in names):
                yield item, putting_in, taking_out


def _swap_averages(components: Components, predict: Callable[[], Any] = lambda: None) -> Any:
    """Put averaged weights in, predict, and take them out again, as an evaluation does."""
    models, averages = list(_modules(components)), list(_averages(components))
    for average, putting_in, _ in averages:
        for name in putting_in:
            _call(getattr(average, name), models)
    predicted = predict()
    for average, _, taking_out in averages:
        _call(getattr(average, taking_out), models)
    return predicted


def _call(method: Callable[..., Any], models: list[nn.Module]) -> None:
    try:
        method()
    except TypeError:  # it wants to be told whose weights, as those of diffusers do
        method([parameter for model in models for parameter in model.parameters()])


CHANGES: Mapping[str, Changing] = {
    "halve_learning_rates": Changing(
        applies=_has_learning_rates,
        make=_halve_learning_rates,
        again=False,
    ),
    "freeze": Changing(applies=_is_trained, make=_freeze, again=True),
    "unfreeze": Changing(applies=lambda parts: bool(_first_parameters(parts)), make=_unfreeze, again=True),
    "add_group": Changing(applies=_takes_groups, make=_add_group, again=True),
    "tie_weights": Changing(applies=lambda parts: _pair(parts) is not None, make=_tie, again=True),
    "round_weights": Changing(applies=lambda parts: bool(_rounded(parts)), make=_round_weights, again=False),
    "step_schedulers": Changing(applies=lambda parts: bool(_schedulers(parts)), make=_step_schedulers, again=False),
    "swap_averages": Changing(applies=lambda parts: any(_averages(parts)), make=_swap_averages, again=False),
}
"""Kinds of changes by their name."""
