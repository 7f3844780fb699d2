"""Changes of settings that a training program may make between two steps; each is found and made here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import nn

from pytest_ckpt.runs import LiveRun
from pytest_ckpt.state.naming import is_optimizer_like

__all__ = ["CHANGES", "Changing", "made_again"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Changing:
    """One kind of change.

    Attributes:
        applies: Whether a run has what it needs.
        make: Makes it.
        again: Whether a script that is started again makes it before it loads; else the checkpoint brings it back.
    """

    applies: Callable[[LiveRun], bool]
    make: Callable[[LiveRun], None]
    again: bool


def made_again(run: LiveRun, names: list[str]) -> None:
    """Make the changes again that a script that is started again would make before it loads."""
    for name in names:
        if CHANGES[name].again:
            CHANGES[name].make(run)


def _modules(run: LiveRun) -> Iterator[nn.Module]:
    return (item for item in run.components.values() if isinstance(item, nn.Module))


def _optimizers(run: LiveRun) -> Iterator[Any]:
    return (item for item in run.components.values() if is_optimizer_like(item))


def _groups(run: LiveRun) -> list[dict[str, Any]]:
    return list(chain.from_iterable(item.param_groups for item in _optimizers(run)))


def _has_learning_rates(run: LiveRun) -> bool:
    return any(type(group.get("lr")) is float for group in _groups(run))


def _halve_learning_rates(run: LiveRun) -> None:
    for group in _groups(run):
        if type(group.get("lr")) is float:
            group["lr"] = group["lr"] / 2


def _first_parameters(run: LiveRun) -> list[nn.Parameter]:
    """Return the parameters of the first part of the first model that holds some and leaves others."""
    for module in _modules(run):
        parameters = list(module.parameters())
        for child in module.children():
            if 0 < len(own := list(child.parameters())) < len(parameters):
                return own
    return []


def _freeze(run: LiveRun) -> None:
    for parameter in _first_parameters(run):
        parameter.requires_grad_(False)


def _unfreeze(run: LiveRun) -> None:
    for parameter in _first_parameters(run):
        parameter.requires_grad_(True)


def _is_trained(run: LiveRun) -> bool:
    return bool(found := _first_parameters(run)) and all(p.requires_grad and not _is_lazy(p) for p in found)


def _is_lazy(parameter: torch.Tensor) -> bool:
    return isinstance(parameter, nn.parameter.UninitializedParameter)


def _left_out(run: LiveRun) -> list[nn.Parameter]:
    """Return the parameters of models that no optimizer trains."""
    known = {id(parameter) for group in _groups(run) for parameter in group["params"]}
    return [p for module in _modules(run) for p in module.parameters() if id(p) not in known and p.is_floating_point()]


def _add_group(run: LiveRun) -> None:
    parameters = [parameter.requires_grad_(True) for parameter in _left_out(run)]
    if parameters:
        next(_optimizers(run)).add_param_group({"params": parameters})


def _takes_groups(run: LiveRun) -> bool:
    return any(callable(getattr(item, "add_param_group", None)) for item in _optimizers(run)) and bool(_left_out(run))


def _round_weights(run: LiveRun) -> None:
    with torch.no_grad():
        for parameter in _rounded(run):
            parameter.copy_(parameter.bfloat16())


def _rounded(run: LiveRun) -> list[nn.Parameter]:
    every = (p for module in _modules(run) for p in module.parameters() if not _is_lazy(p))
    return [p for p in every if p.dtype is torch.float32 and p.layout is torch.strided]


def _pair(run: LiveRun) -> tuple[tuple[nn.Module, str], nn.Parameter] | None:
    """Return where a second weight of the same shape stands, and the first."""
    for module in _modules(run):
        first: dict[torch.Size, nn.Parameter] = {}
        for part in module.modules():
            weight = part._parameters.get("weight")
            if weight is None or _is_lazy(weight) or weight.ndim < 2:
                continue
            if first.setdefault(weight.shape, weight) is not weight:
                return (part, "weight"), first[weight.shape]
    return None


def _tie(run: LiveRun) -> None:
    if (found := _pair(run)) is not None:
        (part, name), weight = found
        setattr(part, name, weight)


def _schedulers(run: LiveRun) -> list[Any]:
    return [i for i in run.components.values() if isinstance(i, torch.optim.lr_scheduler.LRScheduler)]


def _step_schedulers(run: LiveRun) -> None:
    for scheduler in _schedulers(run):
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(1.0)
        else:
            scheduler.step()


_SWAPS = (("store", "copy_to", "restore"), ("apply_shadow", "restore"))


def _averages(run: LiveRun) -> Iterator[tuple[Any, tuple[str, ...]]]:
    for item in run.components.values():
        for names in _SWAPS:
            if not isinstance(item, nn.Module) and all(callable(getattr(item, name, None)) for name in names):
                yield item, names


def _swap_averages(run: LiveRun) -> None:
    """Put averaged weights in and take them out again, as an evaluation does."""
    models = list(_modules(run))
    for average, names in _averages(run):
        for name in names:
            _call(getattr(average, name), models)


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
    "unfreeze": Changing(applies=lambda run: bool(_first_parameters(run)), make=_unfreeze, again=True),
    "add_group": Changing(applies=_takes_groups, make=_add_group, again=True),
    "tie_weights": Changing(applies=lambda run: _pair(run) is not None, make=_tie, again=True),
    "round_weights": Changing(applies=lambda run: bool(_rounded(run)), make=_round_weights, again=False),
    "step_schedulers": Changing(applies=lambda run: bool(_schedulers(run)), make=_step_schedulers, again=False),
    "swap_averages": Changing(applies=lambda run: any(_averages(run)), make=_swap_averages, again=False),
}
"""Kinds of changes by the name of their rule."""
