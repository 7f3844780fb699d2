"""Some tensors of a checkpoint, in memory: read from its bytes, without running anything that is in it."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from pytest_ckpt.inspection import Contents, TensorInfo, UnreadableFile, walk
from pytest_ckpt.inspection.values import open_values
from pytest_ckpt.paths import spell

__all__ = ["read_tensors"]


def read_tensors(files: Mapping[str, Contents], wanted: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """Return dense tensors of a checkpoint.

    Args:
        files: What is in each file, by what paths into it begin with.
        wanted: Path of a tensor to what to call it.
    """
    found = {}
    with open_values() as values:
        for prefix, contents in files.items():
            for keys, value in walk(contents.root):
                name = wanted.get(f"{prefix}{spell(keys)}")
                if name is None or not isinstance(value, TensorInfo):
                    continue
                try:
                    raw = b"".join(map(bytes, values.chunks(value)))
                except UnreadableFile:
                    continue
                if raw:
                    flat = torch.frombuffer(bytearray(raw), dtype=getattr(torch, value.dtype))
                    found[name] = flat.reshape(value.shape)
    return found
