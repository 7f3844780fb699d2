"""Replacing attributes of torch, and putting them back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Patch", "install", "method", "remove"]

_ABSENT: Any = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class Patch:
    """One attribute to be replaced.

    Attributes:
        owner: The module or class.
        name: The attribute.
        value: What it is inside a world.
        original: What it is outside; found on a base class, perhaps.
    """

    owner: Any
    name: str
    value: Any
    original: Any


def method(owner: Any, name: str, make: Callable[[Any], Any]) -> Patch:
    """Return the patch that replaces an attribute by what ``make`` makes of it."""
    original = getattr(owner, name)
    return Patch(owner=owner, name=name, value=make(original), original=original)


def install(patches: list[Patch]) -> list[tuple[Any, str, Any]]:
    """Replace attributes and return what :func:`remove` needs."""
    done: list[tuple[Any, str, Any]] = []
    try:
        for patch in patches:
            done.append((patch.owner, patch.name, vars(patch.owner).get(patch.name, _ABSENT)))
            setattr(patch.owner, patch.name, patch.value)
    except BaseException:
        remove(done)
        raise
    return done


def remove(done: list[tuple[Any, str, Any]]) -> None:
    """Put attributes back, the last one first."""
    for owner, name, before in reversed(done):
        if before is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
