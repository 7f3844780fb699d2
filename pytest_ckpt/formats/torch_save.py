"""``torch.save`` and ``torch.load``, in the ways in which people call them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from pytest_ckpt.formats.leaves import leaves
from pytest_ckpt.formats.protocol import Format, Keeps
from pytest_ckpt.formats.trial import Copy, cannot_keep, reason_to_refuse, reason_to_refuse_objects

__all__ = ["FORMATS", "torch_copy"]

_VALUES = Keeps.STRIDES | Keeps.REQUIRES_GRAD | Keeps.PARAMETERS | Keeps.SHARING | Keeps.METADATA
_ANYTHING = _VALUES | Keeps.SUBCLASSES | Keeps.OBJECTS


def torch_copy(save_options: Mapping[str, Any], load_options: Mapping[str, Any]) -> Copy:
    """Return a function that saves and loads a value in memory."""

    def copy(value: Any) -> Any:
        buffer = io.BytesIO()
        torch.save(value, buffer, **save_options)
        buffer.seek(0)
        return torch.load(buffer, map_location="cpu", **load_options)

    return copy


_ZIP = torch_copy({}, {"weights_only": True})
_TRUSTED_ZIP = torch_copy({}, {"weights_only": False})
_LEGACY = torch_copy({"_use_new_zipfile_serialization": False}, {"weights_only": True})
_TRUSTED_LEGACY = torch_copy({"_use_new_zipfile_serialization": False}, {"weights_only": False})

_load = partial(torch.load, map_location="cpu", weights_only=True)
_load_anything = partial(torch.load, map_location="cpu", weights_only=False)


def _save_bytes(payload: dict[str, Any], path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    path.write_bytes(buffer.getvalue())


def _load_bytes(path: Path) -> dict[str, Any]:
    payload: dict[str, Any] = _load(io.BytesIO(path.read_bytes()))
    return payload


def _legacy_refuses(payload: dict[str, Any]) -> str | None:
    for keys, leaf in leaves(payload):
        # Not tried: it reads the sizes from memory that nothing was written to.
        if isinstance(leaf, torch.Tensor) and leaf.is_nested:
            return cannot_keep("torch-legacy", keys, leaf)
    return reason_to_refuse(payload, name="torch-legacy", copy=_LEGACY, trusted=_TRUSTED_LEGACY)


_refuses = partial(reason_to_refuse, copy=_ZIP, trusted=_TRUSTED_ZIP)
_format = partial(Format, suffix=".pt", save=torch.save, load=_load, keeps=_VALUES)

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        format.name: format
        for format in (
            _format(name="torch", refuses=partial(_refuses, name="torch")),
            _format(
                name="torch-bytesio",
                save=_save_bytes,
                load=_load_bytes,
                refuses=partial(_refuses, name="torch-bytesio"),
            ),
            _format(
                name="torch-full",
                load=_load_anything,
                keeps=_ANYTHING,
                refuses=partial(reason_to_refuse, name="torch-full", copy=_TRUSTED_ZIP),
            ),
            _format(
                name="torch-legacy",
                save=partial(torch.save, _use_new_zipfile_serialization=False),
                refuses=_legacy_refuses,
            ),
            # Its tensors are windows on the file: to save over it is to change them.
            _format(
                name="torch-mmap",
                load=partial(_load, mmap=True),
                refuses=partial(_refuses, name="torch-mmap"),
            ),
            _format(
                name="torch-whole",
                load=_load_anything,
                keeps=_ANYTHING,
                refuses=partial(reason_to_refuse_objects, name="torch-whole", copy=_TRUSTED_ZIP),
                whole=True,
            ),
        )
    }
)
