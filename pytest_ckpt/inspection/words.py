"""What stands in a file, in a few words."""

from __future__ import annotations

from typing import Any

from pytest_ckpt.inspection.contents import ArrayInfo, Call, TensorInfo, name_of
from pytest_ckpt.inspection.rebuilt_tensors import ITEM_SIZES

__all__ = ["count_of_bytes", "describe", "size_of"]

_LONGEST = 60
_FEW = 8
_UNITS = ("B", "kB", "MB", "GB", "TB")


def describe(value: Any) -> str:
    """Describe a leaf: a tensor by its kind and shape, other things by their value where that is short."""
    if isinstance(value, TensorInfo):
        kind = "" if value.kind in ("tensor", "parameter") else f", {value.kind}"
        return _short(f"{value.dtype} {value.shape}{kind}")
    if isinstance(value, ArrayInfo):
        return _short(f"numpy {value.dtype} {value.shape}")
    if isinstance(value, Call):
        name = name_of(value.function)
        return _short(f"{name}(...)" if value.args else f"object of {name}")
    if isinstance(value, list | tuple | set | frozenset | dict):
        return _container(value)
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return f"int of {value.bit_length():,} bits"
    if isinstance(value, str | bytes):
        return _short(repr(value[:_LONGEST]))
    return _short(repr(value) if isinstance(value, float | complex) or value is None else name_of(value))


def _container(value: Any) -> str:
    if len(value) > _FEW or not all(isinstance(item, int | float | str) for item in value):
        kind = "dict" if isinstance(value, dict) else type(value).__name__
        return f"{kind} of {len(value):,}"
    text = ", ".join(map(describe, value))
    if isinstance(value, list):
        return _short(f"[{text}]")
    if isinstance(value, tuple):
        return _short(f"({text},)" if len(value) == 1 else f"({text})")
    return _short(f"{{{text}}}" if text or isinstance(value, dict) else f"{type(value).__name__}()")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def size_of(tensor: TensorInfo) -> int:
    """Return how many bytes a tensor's elements take."""
    return tensor.numel * ITEM_SIZES.get(tensor.dtype, 0)


def count_of_bytes(count: int) -> str:
    """Spell a number of bytes, in powers of 1000."""
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{count:,} B" if unit == 0 else f"{size:.3g} {_UNITS[unit]}"
