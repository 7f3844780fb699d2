"""Leaves of a state in a few words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from pytest_ckpt.state.freezing import ObjectPicture
from pytest_ckpt.state.tensors import describe_tensor

__all__ = ["NOTHING", "array_differences", "describe", "in_native_order", "is_array", "plain_repr"]

_TEXT_LIMIT = 80
NOTHING = object()
"""Stands for a value that is not there."""


def describe(value: Any) -> str:
    """Describe a leaf in a few words; values where they are short."""
    if value is NOTHING:
        return "nothing"
    if isinstance(value, torch.Tensor):
        return describe_tensor(value)
    if is_array(value):
        return f"numpy {value.dtype} {value.shape}" if value.size > 1 else repr(value)
    if isinstance(value, ObjectPicture):
        return f"a {value.kind}"
    if isinstance(value, type):
        return value.__qualname__
    if isinstance(value, Mapping):
        return f"{type(value).__name__} with {len(value)} key{'' if len(value) == 1 else 's'}"
    if isinstance(value, list | tuple) and len(plain_repr(value)) > _TEXT_LIMIT:
        return f"{type(value).__name__} of {len(value)}"
    text = plain_repr(value)
    return text if len(text) <= _TEXT_LIMIT else f"{text[: _TEXT_LIMIT - 3]}..."


def is_array(value: Any) -> bool:
    """Whether a value is an array or a scalar of numpy, which need not be installed."""
    return type(value).__module__ == "numpy" and hasattr(value, "tobytes")


def in_native_order(array: Any) -> Any:
    """Return an array of numpy in the byte order of this machine, as pickle before protocol 5 loads it."""
    native = array.dtype.newbyteorder("=")
    return array if array.dtype == native else array.astype(native)


def array_differences(expected: Any, actual: Any) -> str:
    """Say how many elements of two arrays of one dtype and shape differ, and where the first one is."""
    import numpy as np

    if expected.size < 2:
        return ""
    rows = (np.frombuffer(array.tobytes(), np.uint8).reshape(expected.size, -1) for array in (expected, actual))
    differs = np.not_equal(*rows).any(axis=1)
    place = np.unravel_index(differs.argmax(), expected.shape)
    where = [int(index) for index in place]
    saved, loaded = expected[place].item(), actual[place].item()
    return f"{differs.sum()} of {expected.size} elements differ, first at {where}: {saved!r} became {loaded!r}"


def plain_repr(value: Any) -> str:
    """Return a value's ``repr`` without addresses in memory; the name of its class where it has none to give."""
    try:
        return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
    except Exception:  # of an object that is not set up yet, or closed
        return f"<{type(value).__qualname__}>"
