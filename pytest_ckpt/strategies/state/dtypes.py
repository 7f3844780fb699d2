"""``dtypes()``: what the elements of a tensor can be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import torch
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

__all__ = ["DTYPES_BY_KIND", "DTYPE_KINDS", "dtypes"]

_NAMES = {
    "float": "float32 float64 float16 bfloat16 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz"
    " float8_e8m0fnu",
    "int": "int64 int32 int16 int8 uint8 uint16 uint32 uint64",
    "bool": "bool",
    "complex": "complex64 complex128 complex32",
    "quantized": "qint8 quint8 qint32",
}

DTYPES_BY_KIND: Mapping[str, tuple[torch.dtype, ...]] = MappingProxyType(
    # Looked for, because a version does not say which of them a build of torch has.
    {
        kind: tuple(getattr(torch, name) for name in names.split() if hasattr(torch, name))
        for kind, names in _NAMES.items()
    }
)
"""By kind, the most usual ones first. Those that torch saves but cannot print would hide a failing example."""

DTYPE_KINDS = ("float", "int", "bool", "complex")
"""The kinds that a plain dense tensor can have."""


def dtypes(*, kinds: Collection[str] = DTYPE_KINDS) -> st.SearchStrategy[torch.dtype]:
    """Generate the dtypes that torch can save.

    Shrinks towards the first dtype of the first kind; by default that is ``torch.float32``.

    Args:
        kinds: Some of ``float`` (down to bfloat16 and float8), ``int`` (with and without sign), ``bool``,
            ``complex`` and ``quantized``. A dtype that the installed torch lacks is left out.

    Raises:
        InvalidArgument: If there is no such kind, or no kind at all.
    """
    unknown = sorted(set(kinds) - DTYPES_BY_KIND.keys())
    if unknown or not kinds:
        raise InvalidArgument(
            f"dtypes(kinds={list(kinds)!r}): {', '.join(map(repr, unknown)) or 'no kind'} to draw from. "
            f"Give one or more of {', '.join(map(repr, DTYPES_BY_KIND))}."
        )
    return st.sampled_from([dtype for kind in kinds for dtype in DTYPES_BY_KIND[kind]])
