"""Classes of the kinds that programs put into checkpoints; in a module, so that pickle finds them again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any, NamedTuple

__all__ = ["Colour", "Pair", "Phase", "Settings", "make_closure", "make_function"]


class Colour(Enum):
    """An enumeration."""

    RED = "red"
    BLUE = "blue"


class Phase(IntEnum):
    """An enumeration of numbers."""

    WARMUP = 0
    TRAINING = 1


class Pair(NamedTuple):
    """A tuple with names."""

    first: Any
    second: Any


@dataclass
class Settings:
    """A configuration."""

    name: Any
    values: Any


def make_function() -> Callable[[float], float]:
    """Return a function without a name, as it is given to ``LambdaLR``."""
    return lambda step: 0.5**step


def make_closure(held: object) -> Callable[[], object]:
    """Return a function that holds a value from its surroundings."""

    def closure() -> object:
        return held

    return closure
