"""``torch.distributed.checkpoint``: a directory of shards, here of one process without a process group."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from pytest_ckpt.formats.packing import STRUCTURE, pack, unpack
from pytest_ckpt.formats.protocol import Format, Keeps
from pytest_ckpt.formats.trial import reason_to_refuse

__all__ = ["FORMATS"]


def _save(payload: dict[str, Any], path: Path) -> None:
    structure, tensors = pack(payload)
    with _as_one_process():
        save({STRUCTURE: structure, **tensors}, storage_writer=FileSystemWriter(path), no_dist=True)


def _load(path: Path) -> dict[str, Any]:
    reader = FileSystemReader(path)
    # DCP fills tensors that are there already; its own index of the directory says which to make.
    found: dict[str, Any] = {
        name: torch.empty(entry.size, dtype=entry.properties.dtype, device="cpu")
        if isinstance(entry, TensorStorageMetadata)
        else None
        for name, entry in reader.read_metadata().state_dict_metadata.items()
    }
    with _as_one_process():
        load(found, storage_reader=reader, no_dist=True)
    structure = found.pop(STRUCTURE)
    payload: dict[str, Any] = unpack(structure, found)
    return payload


@contextmanager
def _as_one_process() -> Iterator[None]:
    """Keep quiet about the missing process group, and raise what went wrong in its place."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled, unavailable or uninitialized")
        warnings.filterwarnings("ignore", "Detected an existing checkpoint")
        try:
            yield
        except CheckpointException as error:
            # It derives from BaseException, so `except Exception` would miss a full disk.
            cause, _ = next(iter(error.failures.values()))
            raise cause from None


def _copy(value: Any) -> Any:
    with tempfile.TemporaryDirectory() as directory:
        _save(value, Path(directory))
        return _load(Path(directory))


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "dcp": Format(
            name="dcp",
            suffix="",
            save=_save,
            load=_load,
            keeps=Keeps.METADATA,
            refuses=partial(reason_to_refuse, name="dcp", copy=_copy),
        )
    }
)
