"""Whether what inspection says of a file is what torch makes of it: every leaf, and every bit."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from pytest_ckpt.inspection import Contents, TensorInfo, walk
from pytest_ckpt.inspection.contents import ArrayInfo, Call, DtypeInfo, Symbol
from pytest_ckpt.inspection.values import Values, open_values

__all__ = ["disagreements"]


def disagreements(contents: Contents, loaded: Any) -> list[str]:
    """Return where the two part, one line each; objects of classes are compared by their ``__dict__``."""
    sharing: tuple[dict[int, int], dict[int, int]] = ({}, {})
    with open_values() as values:
        return list(_compare("root", contents.root, loaded, values, sharing))


def _compare(path: str, seen: Any, real: Any, values: Values, sharing: Any) -> Iterator[str]:
    if isinstance(real, torch.Tensor) and real.layout is torch.jagged:
        return  # its parts are listed, but it has no shape of its own
    if isinstance(real, torch.storage.TypedStorage):
        real = torch.tensor([], dtype=real.dtype).set_(real)
        seen = next(value for _, value in walk(seen))
    if isinstance(real, bytearray):
        # dill calls the type by another name of its own.
        real, seen = bytes(real), seen.args[0] if isinstance(seen, Call) else bytes(seen)
    if isinstance(real, torch.Tensor):
        yield from _tensor(path, seen, real, values, sharing)
    elif isinstance(real, np.ndarray | np.generic):
        yield from _array(path, seen, real)
    elif isinstance(real, Mapping):
        seen = seen.items if isinstance(seen, Call) else seen
        if not isinstance(seen, dict) or list(map(str, seen)) != list(map(str, real)):
            yield f"{path}: keys {list(seen) if isinstance(seen, dict) else seen!r} for {list(real)}"
            return
        for key, item in zip(seen, real, strict=True):
            yield from _compare(f"{path}.{key}", seen[key], real[item], values, sharing)
    elif isinstance(real, list | tuple):
        if type(seen) not in (list, tuple) or len(seen) != len(real):
            yield f"{path}: {seen!r} for {type(real).__name__} of {len(real)}"
            return
        for number, (one, other) in enumerate(zip(seen, real, strict=True)):
            yield from _compare(f"{path}[{number}]", one, other, values, sharing)
    elif isinstance(seen, Call):
        if isinstance(seen.state, dict) and hasattr(real, "__dict__"):
            yield from _compare(f"{path}.__dict__", seen.state, vars(real), values, sharing)
    elif isinstance(seen, Symbol | DtypeInfo):
        if type(real).__name__ not in ("type", "dtype", "builtin_function_or_method") and not callable(real):
            yield f"{path}: {seen} for {real!r}"
    elif repr(seen) != repr(real) and not (isinstance(real, set | frozenset) and seen == real):
        yield f"{path}: {seen!r} for {real!r}"


def _tensor(path: str, seen: Any, real: torch.Tensor, values: Values, sharing: Any) -> Iterator[str]:
    if not isinstance(seen, TensorInfo):
        yield f"{path}: {seen!r} for a tensor"
        return
    dtype = str(real.dtype).removeprefix("torch.")
    if seen.dtype != dtype or seen.requires_grad != real.requires_grad:
        yield f"{path}: {seen.dtype}, {seen.requires_grad} for {dtype}, {real.requires_grad}"
    if real.is_nested or type(real) not in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer):
        return
    if seen.shape != tuple(real.shape):
        yield f"{path}: shape {seen.shape} for {tuple(real.shape)}"
    if real.device.type == "meta":
        return
    if real.layout is not torch.strided:
        parts = [real._indices(), real._values()] if real.layout is torch.sparse_coo else _compressed(real)
        for number, (one, other) in enumerate(zip(seen.parts, parts, strict=True)):
            yield from _tensor(f"{path}({number})", one, other, values, sharing)
        return
    if seen.strides and (seen.strides, seen.offset) != (real.stride(), real.storage_offset()):
        yield f"{path}: strides {seen.strides}, {seen.offset} for {real.stride()}, {real.storage_offset()}"
    own, torchs = sharing
    mine, theirs = id(seen.storages[0]), real.untyped_storage()._cdata
    if real.numel() and (own.setdefault(mine, theirs), torchs.setdefault(theirs, mine)) != (theirs, mine):
        yield f"{path}: shares memory with another tensor"
    whole = b"".join(map(bytes, values.chunks(seen.parts[0] if seen.parts else seen)))
    plain = real.detach().resolve_conj().resolve_neg().contiguous()
    count = plain.numel() * plain.element_size()
    expected = ctypes.string_at(plain.data_ptr(), count) if count else b""
    if whole != expected:
        yield f"{path}: other bits, {whole[:16].hex()} for {expected[:16].hex()}"


def _compressed(real: torch.Tensor) -> list[torch.Tensor]:
    rows = real.layout in (torch.sparse_csr, torch.sparse_bsr)
    indices = [real.crow_indices(), real.col_indices()] if rows else [real.ccol_indices(), real.row_indices()]
    return [*indices, real.values()]


def _array(path: str, seen: Any, real: Any) -> Iterator[str]:
    if not isinstance(seen, ArrayInfo):
        yield f"{path}: {seen!r} for an array"
    elif seen.shape != real.shape:
        yield f"{path}: shape {seen.shape} for {real.shape}"
        return
    # numpy turns a big-endian array round when it reads it.
    real = real.astype(np.dtype(seen.dtype)) if seen.dtype.startswith(">") else real
    if real.dtype != object and seen.data != real.tobytes(order="F" if seen.order == "F" else "C"):
        yield f"{path}: other bytes"
