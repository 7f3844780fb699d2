"""``safetensors``: names, dtypes, shapes and bytes in one file, the rest as text in its header."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load, save, save_file

from pytest_ckpt.formats.packing import STRUCTURE, pack, unpack
from pytest_ckpt.formats.protocol import Format, Keeps
from pytest_ckpt.formats.trial import reason_to_refuse

__all__ = ["FORMATS"]


def _save(payload: dict[str, Any], path: Path) -> None:
    structure, tensors = pack(payload)
    save_file(_independent(tensors), path, metadata={STRUCTURE: structure})


def _load(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt", device="cpu") as file:
        # Cloned, because what it hands out is a window on the file.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        payload: dict[str, Any] = unpack(file.metadata()[STRUCTURE], tensors)
    return payload


def _independent(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    # The package refuses views that are not contiguous or share memory. Tied weights are common, and
    # it does not matter to load_state_dict that it gets them twice; so each is written for itself.
    owners: set[int] = set()
    independent = {}
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage().data_ptr()
        plain = tensor.detach()
        independent[name] = (
            plain.clone(memory_format=torch.contiguous_format) if storage in owners else plain.contiguous()
        )
        owners.add(storage)
    return independent


def _copy(value: Any) -> Any:
    structure, tensors = pack(value)
    return unpack(structure, load(save(_independent(tensors))))


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "safetensors": Format(
            name="safetensors",
            suffix=".safetensors",
            save=_save,
            load=_load,
            keeps=Keeps.METADATA,
            refuses=partial(reason_to_refuse, name="safetensors", copy=_copy),
        )
    }
)
