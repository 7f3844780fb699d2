"""What stands in a file, in a few words."""

from __future__ import annotations

from typing import Any

from pytest_ckpt.inspection.contents import ArrayInfo, Call, DtypeInfo, Symbol, TensorInfo
from pytest_ckpt.inspection.rebuilding import ITEM_SIZES

__all__ = ["count_of_bytes", "describe", "size_of"]

_LONGEST = 60
_FEW = 8
_UNITS = ("B", "kB", "MB", "GB", "TB")


def describe(value: Any) -> str:
    """Describe a leaf: a tensor by its kind and shape, other things by their value where that is short."""
    if isinstance(value, TensorInfo):
        kind = "" if value.kind in ("tensor", "parameter") else f", {value.kind}"
        return f"{value.dtype} {value.shape}{kind}"
    if isinstance(value, ArrayInfo):
        return f"numpy {value.dtype} {value.shape}"
    if isinstance(value, Call):
        return f"object of {value.function}" if not value.args else f"{value.function}(...)"
    if isinstance(value, list | tuple) and len(value) > _FEW:
        return f"{type(value).__name__} of {len(value):,}"
    text = str(value) if isinstance(value, Symbol | DtypeInfo) else repr(value)
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
