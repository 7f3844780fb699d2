"""A value of a manifest in words."""

from __future__ import annotations

import re
from typing import Any

from pytest_ckpt.inspection.contents import ArrayInfo, Call, DtypeInfo, Symbol, TensorInfo
from pytest_ckpt.inspection.words import describe

__all__ = ["form_of", "plain_words"]

_LONGEST = 40
_DESCRIBED = (TensorInfo, ArrayInfo, Call, DtypeInfo, Symbol, dict, list, tuple, set, frozenset)
_VALUE = re.compile(r"(int|bool|str) .+", re.DOTALL)


def plain_words(value: Any) -> str:
    """Describe a value by its type, and by itself where it is a name or a count; others change with each run."""
    kind = "None" if value is None else type(value).__name__
    if isinstance(value, bool | int) or (isinstance(value, str) and len(value) <= _LONGEST):
        return f"{kind} {value!r}"
    if isinstance(value, bytes):
        return f"bytes of {len(value):,}"
    # The repr of anything else may hold its address in memory.
    return describe(value) if isinstance(value, _DESCRIBED) else kind


def form_of(words: str) -> str:
    """Return words without the value of a name or a count: what remains is the form of a checkpoint."""
    found = _VALUE.fullmatch(words)
    return found[1] if found else words
