"""What a checkpoint format is: a few functions and a promise of what they keep."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Format", "Keeps"]


class Keeps(enum.Flag):
    """What a format brings back, beyond values.

    Every format keeps names, their order, shapes, dtypes and values of dense tensors, and plain Python
    scalars and containers, all of them bit for bit; where it cannot, it says so in ``refuses``.
    """

    STRIDES = enum.auto()
    """Strides, and with them the memory format."""
    REQUIRES_GRAD = enum.auto()
    PARAMETERS = enum.auto()
    """An ``nn.Parameter`` does not come back as a plain tensor."""
    SUBCLASSES = enum.auto()
    """Subclasses of ``Tensor``, and attributes that were put on a tensor."""
    SHARING = enum.auto()
    """Tensors on one storage are on one storage again."""
    OBJECTS = enum.auto()
    """Any object that can be pickled."""
    METADATA = enum.auto()
    """``state_dict()._metadata``, which holds the versions of the modules."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """One way to put the state of a run on disk.

    A payload is what a run hands over, by component: nested mappings and sequences of tensors and plain
    values, or, in a ``whole`` format, the live objects themselves.

    Attributes:
        name: How users ask for it.
        suffix: What its file names end with; empty if it writes a directory.
        save: Called as ``save(payload, path)``.
        load: Called as ``load(path)``. Returns the payload, its tensors on the CPU.
        keeps: What survives besides values.
        refuses: Says in one sentence why a payload cannot be kept, or returns ``None``. Called before
            ``save``, so that a check is skipped for a reason instead of failing for the format's sake.
        whole: Whether the payload's values are the objects instead of their state dicts.
    """

    name: str
    suffix: str
    save: Callable[[dict[str, Any], Path], object]
    load: Callable[[Path], dict[str, Any]]
    keeps: Keeps
    refuses: Callable[[dict[str, Any]], str | None]
    whole: bool = False
