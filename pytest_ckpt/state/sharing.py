"""Who shares storage with whom, and which names are one object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from pytest_ckpt.state.members import Members
from pytest_ckpt.state.naming import is_optimizer_like
from pytest_ckpt.state.tensors import is_initialized

__all__ = ["sharing_groups"]


def sharing_groups(
    components: Mapping[str, Any], modules: Mapping[str, Members], names: Mapping[int, str]
) -> dict[str, tuple[str, ...]]:
    """Group the tensors of the module components by storage and by identity.

    Args:
        components: The run's components.
        modules: What those of them hold that are modules.
        names: ``id(parameter)`` to name, for the optimizers' own parameters.

    Returns:
        ``"<path> storage"`` and ``"<path> object"`` for each path that is in company, to the paths it is
        with; and ``"<optimizer> parameters"`` to the positions of parameters that no module component holds.
    """
    storages: defaultdict[int, list[str]] = defaultdict(list)
    objects: defaultdict[int, list[str]] = defaultdict(list)
    for path, tensor in _module_tensors(modules):
        if (pointer := _storage_pointer(tensor)) != 0:
            storages[pointer].append(path)
        objects[id(tensor)].append(path)
    groups = dict(_in_company(storages, "storage")) | dict(_in_company(objects, "object"))
    for name, component in components.items():
        if names and is_optimizer_like(component):
            groups[f"{name} parameters"] = tuple(_foreign_parameters(component, names))
    return groups


def _module_tensors(modules: Mapping[str, Members]) -> Iterator[tuple[str, torch.Tensor]]:
    for component, members in modules.items():
        for name, tensor in (*members.parameters, *members.buffers):
            yield f"{component}.{name}", tensor


def _storage_pointer(tensor: torch.Tensor) -> int:
    if not is_initialized(tensor) or tensor.layout is not torch.strided:
        return 0
    try:
        pointer = tensor.data_ptr()  # 0 where there is no element
        # What tensor.untyped_storage().data_ptr() is, without an object made for the storage.
        return int(pointer - tensor.storage_offset() * tensor.element_size()) if pointer else 0
    except (NotImplementedError, RuntimeError):
        return 0  # Wrapper subclasses have no storage of their own.


def _in_company(groups: Mapping[int, list[str]], kind: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for members in groups.values():
        if len(members) > 1:
            for path in members:
                yield f"{path} {kind}", tuple(sorted(set(members) - {path}))


def _foreign_parameters(optimizer: Any, names: Mapping[int, str]) -> Iterator[str]:
    position = 0
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if id(parameter) not in names:
                yield f"#{position}"
            position += 1
