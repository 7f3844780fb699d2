"""Two values of one class, exactly: ``==`` takes too much for the same, and NaN for something else."""

from __future__ import annotations

import datetime
import struct
from array import array
from collections import Counter
from collections.abc import Hashable, Set
from decimal import Decimal
from typing import Any

from pytest_ckpt.comparison.words import plain_repr

__all__ = ["bits_of", "same_members", "same_value"]

# 1.0 equals 1.00, and noon in one zone one o'clock in the next; how they are shown says what they are.
_SHOWN_EXACTLY = (Decimal, datetime.datetime, datetime.time, range, slice)


def bits_of(value: float | complex) -> bytes:
    """Return the bits of a number: two NaN are the same if these are, and -0.0 is not 0.0."""
    if isinstance(value, complex):
        return struct.pack("dd", value.real, value.imag)
    return struct.pack("d", value)


def same_members(expected: Set[Any], actual: Set[Any]) -> bool:
    """Whether two sets hold the same values; 1, 1.0 and True are three."""
    if len(expected) != len(actual):
        return False
    return Counter(map(_exact, expected)) == Counter(map(_exact, actual))


def same_value(expected: Any, actual: Any) -> bool:
    """Whether two objects of one class that are made of nothing we can look into are the same."""
    if hasattr(expected, "__qualname__"):
        return all(getattr(expected, key, None) == getattr(actual, key, None) for key in ("__module__", "__qualname__"))
    if isinstance(expected, array):  # whose == takes -0.0 for 0.0
        return (expected.typecode, expected.tobytes()) == (actual.typecode, actual.tobytes())
    if isinstance(expected, _SHOWN_EXACTLY):
        return _shown(expected) == _shown(actual)
    try:
        if expected == actual:
            return True
    except Exception:  # arrays and tensors in a container of a kind of its own
        return plain_repr(expected) == plain_repr(actual)
    # Without an == of its own, an object that was loaded is never equal; it is what it shows of itself.
    kind: Any = type(expected)
    return kind.__eq__ is object.__eq__ and plain_repr(expected) == plain_repr(actual)


def _shown(value: Any) -> str:
    # Before protocol 4 pickle forgets which of two equal hours, when clocks are put back, was meant.
    return repr(value.replace(fold=0) if isinstance(value, datetime.datetime | datetime.time) else value)


def _exact(value: Hashable) -> Hashable:
    """Return what is equal for the same values only."""
    if isinstance(value, float | complex):
        return type(value), bits_of(value)
    if isinstance(value, tuple):
        return type(value), tuple(map(_exact, value))
    if isinstance(value, frozenset):
        return type(value), frozenset(Counter(map(_exact, value)).items())
    return (type(value), _shown(value)) if isinstance(value, _SHOWN_EXACTLY) else (type(value), value)
