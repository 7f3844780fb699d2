"""safetensors files, their ``__metadata__`` included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pytest_ckpt.editing.codec import Codec

__all__ = ["CODEC"]


class _Tensors(dict[str, torch.Tensor]):
    """The tensors of a file by name, and its metadata as an attribute, which a copy keeps."""

    metadata: dict[str, str] | None = None


def _read(path: Path) -> _Tensors:
    with safe_open(path, framework="pt", device="cpu") as file:
        # Cloned, because what it hands out is a window on the file.
        tensors = _Tensors({name: file.get_tensor(name).clone() for name in file.keys()})  # noqa: SIM118
        tensors.metadata = file.metadata()
    return tensors


def _write(tensors: Any, path: Path) -> None:
    metadata = getattr(tensors, "metadata", None)  # What was read from another format has none.
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=metadata)


CODEC = Codec(name="safetensors", read=_read, write=_write, read_safely=_read)
