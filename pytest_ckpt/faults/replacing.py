"""Load replaces or rebuilds parameters where it should fill them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import torch

from pytest_ckpt.faults.fault import Fault
from pytest_ckpt.faults.parts import modules
from pytest_ckpt.faults.trying import fault_of_load
from pytest_ckpt.runs import LiveRun

__all__ = ["REPLACING"]


def _places(run: LiveRun) -> Iterator[tuple[torch.nn.Module, str, torch.nn.Parameter]]:
    """Yield each place that holds a plain parameter: its module and its name there."""
    for module in modules(run):
        for part in module.modules():
            for name, parameter in part._parameters.items():
                if type(parameter) is torch.nn.Parameter:
                    yield part, name, parameter


def _copy(parameter: torch.nn.Parameter) -> torch.nn.Parameter:
    return torch.nn.Parameter(parameter.detach().clone(), requires_grad=parameter.requires_grad)


def _lose_requires_grad(run: LiveRun, noted: object) -> None:
    parameters = [parameter for _, _, parameter in _places(run)]
    frozen = [item for item in parameters if not item.requires_grad and item.is_floating_point()]
    for parameter in (frozen or parameters)[:1]:
        parameter.requires_grad_(not parameter.requires_grad)


def _untie(run: LiveRun, noted: object) -> None:
    places = defaultdict(list)
    for part, name, parameter in _places(run):
        places[id(parameter)].append((part, name, parameter))
    for part, name, parameter in (place for same in places.values() for place in same[1:]):
        part._parameters[name] = _copy(parameter)


def _replace_parameters(run: LiveRun, noted: object) -> None:
    copies: dict[int, torch.nn.Parameter] = {}
    for part, name, parameter in list(_places(run)):
        if id(parameter) not in copies:
            copies[id(parameter)] = _copy(parameter)
        part._parameters[name] = copies[id(parameter)]


REPLACING: tuple[Fault, ...] = (
    fault_of_load(
        "lose_requires_grad",
        "The model is built again while loading, and what was frozen trains, or the other way round.",
        ("traits_are_restored",),
        after=_lose_requires_grad,
        otherwise="Training sets requires_grad itself, or there is no parameter.",
    ),
    fault_of_load(
        "untie",
        "Shared weights are written as two tensors and are two parameters after load.",
        ("traits_are_restored",),
        after=_untie,
        otherwise="No two names of a module are one parameter.",
    ),
    fault_of_load(
        "replace_parameters",
        "load_state_dict(..., assign=True) gives the model new parameters, and the optimizer keeps the old ones.",
        ("traits_are_restored", "resume_is_exact"),
        after=_replace_parameters,
        otherwise="No optimizer trains the parameters of a module.",
    ),
)
