"""Who holds the memory of the live model, and which things are one object: in one run, and not in the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.state.hidden import Graph
from pytest_ckpt.state.naming import is_optimizer_like
from pytest_ckpt.state.tensors import is_initialized

__all__ = ["aliases", "plain_tensors", "sharing_mismatches", "trained"]


def sharing_mismatches(saved: LiveRun, loaded: LiveRun, ours: Graph, theirs: Graph) -> Iterator[Mismatch]:
    """Yield hidden tensors that follow the live model, and things that two paths share, in one of the runs only."""
    mine, others = aliases(saved, ours), aliases(loaded, theirs)
    for path in ours.slots:
        if path in theirs.slots and mine.get(path) != others.get(path):
            sides = [f"shares memory with {a[path]}" if path in a else "a copy" for a in (mine, others)]
            yield Mismatch(path=path, kind="sharing", expected=sides[0], actual=sides[1])
    mine, others = trained(saved, ours), trained(loaded, theirs)
    for path in mine:
        if path in theirs.slots and path not in others:
            words = f"a parameter of {mine[path]}"
            yield Mismatch(path=path, kind="sharing", expected=words, actual="a parameter of no optimizer")
    for path, first in ours.same_as.items():
        if first != path and theirs.same_as.get(path, first) != first and first in theirs.same_as:
            words = f"the same object as {first}"
            yield Mismatch(path=path, kind="sharing", expected=words, actual="another object")


def aliases(run: LiveRun, graph: Graph) -> dict[str, str]:
    """Return what holds memory of a module component, or a group of an optimizer: its path to that part's."""
    groups = {
        id(group): f"{name}.param_groups[{index}]"
        for name, item in run.components.items()
        if is_optimizer_like(item)
        for index, group in enumerate(item.param_groups)
    }
    held = {path: groups[id(slot.value)] for path, slot in graph.slots.items() if id(slot.value) in groups}
    return held | _tensor_aliases(run, graph)


def trained(run: LiveRun, graph: Graph) -> dict[str, str]:
    """Return what is a parameter of an optimizer: its path to the optimizer's name."""
    names = {
        id(parameter): name
        for name, item in run.components.items()
        if is_optimizer_like(item)
        for group in item.param_groups
        for parameter in group["params"]
    }
    return {path: names[id(slot.value)] for path, slot in graph.slots.items() if id(slot.value) in names}


def _tensor_aliases(run: LiveRun, graph: Graph) -> dict[str, str]:
    owners = {
        parameter.data_ptr(): f"{component}.{name}"
        for component, module in run.components.items()
        if isinstance(module, torch.nn.Module)
        for name, parameter in module.named_parameters()
        if is_initialized(parameter) and parameter.layout is torch.strided and parameter.numel()
    }
    found: dict[str, str] = {}
    for path, slot in graph.slots.items():
        for tensor in plain_tensors(slot.value):
            if (owner := owners.get(tensor.data_ptr())) is not None and owner != path:
                found.setdefault(path, owner)
    return found


def plain_tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the plain tensors in a value; parameters are none."""
    if type(value) is torch.Tensor and value.layout is torch.strided and is_initialized(value):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from plain_tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from plain_tensors(item)
