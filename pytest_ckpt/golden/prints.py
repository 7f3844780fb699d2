"""Fingerprints of tensors, in a file and in a live run, by which the one is found in the other."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from pytest_ckpt.inspection import Contents, TensorInfo, UnreadableFile, walk
from pytest_ckpt.inspection.contents import Region
from pytest_ckpt.inspection.values import Values, open_values
from pytest_ckpt.paths import spell
from pytest_ckpt.state.tensors import is_initialized, plain_bytes_view

__all__ = ["Print", "is_dense", "prints_of_file", "prints_of_files", "prints_of_state"]


@dataclass(frozen=True, slots=True)
class Print:
    """What a tensor is: its dtype, its shape and the digest of its bytes.

    Attributes:
        dtype: torch's name, such as ``float32``.
        shape: Its sizes.
        digest: SHA-256 of its elements in order.
        plain: Whether all its bytes are the same, as in a tensor of zeros, or it has one element: others may be equal
            to it by chance.
    """

    dtype: str
    shape: tuple[int, ...]
    digest: bytes
    plain: bool


def prints_of_file(contents: Contents, prefix: str = "") -> dict[str, Print]:
    """Return the fingerprint of each dense tensor of a file, by its path."""
    with open_values() as values:
        return {f"{prefix}{spell(keys)}": found for keys, found in _of_file(contents, values)}


def prints_of_files(files: Mapping[str, Contents]) -> dict[str, Print]:
    """Return the fingerprint of each dense tensor of several files, each by what paths into it begin with."""
    return {name: found for prefix, file in files.items() for name, found in prints_of_file(file, prefix).items()}


def _of_file(contents: Contents, values: Values) -> Iterator[tuple[Any, Print]]:
    for keys, value in walk(contents.root):
        if not isinstance(value, TensorInfo) or not value.storages:
            continue
        in_one_piece = len(value.storages) == 1 and isinstance(value.storages[0].data, Region | bytes)
        if value.kind in ("tensor", "parameter") and in_one_piece:
            try:
                yield keys, _print(value.dtype, value.shape, map(bytes, values.chunks(value)))
            except UnreadableFile:
                continue


def prints_of_state(state: Mapping[str, Any]) -> dict[str, Print]:
    """Return the fingerprint of each dense tensor of captured state, by its path."""
    return {
        spell(keys): _print(str(value.dtype).removeprefix("torch."), tuple(value.shape), _bytes_of(value))
        for keys, value in walk(state)
        if isinstance(value, torch.Tensor) and is_dense(value)
    }


def is_dense(tensor: torch.Tensor) -> bool:
    """Whether a tensor is plain numbers, one after the other."""
    strided = is_initialized(tensor) and tensor.layout is torch.strided
    return strided and not (tensor.is_quantized or tensor.is_nested or hasattr(type(tensor), "__tensor_flatten__"))


def _bytes_of(tensor: torch.Tensor) -> Iterator[bytes]:
    plain = plain_bytes_view(tensor)
    yield ctypes.string_at(plain.data_ptr(), plain.nbytes) if plain.numel() else b""


def _print(dtype: str, shape: tuple[int, ...], chunks: Iterator[bytes]) -> Print:
    digest, seen = hashlib.sha256(), set[int]()
    for chunk in chunks:
        digest.update(chunk)
        if len(seen) < 2:
            seen.update(chunk)
    numel = 1
    for size in shape:
        numel *= size
    return Print(dtype, shape, digest.digest(), len(seen) < 2 or numel < 2)
