"""Places in nested plain containers, and copies of the containers with one place changed."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from pytest_ckpt.paths import Keys

__all__ = [
    "at_place",
    "changed",
    "children",
    "optimizer_states",
    "refilled",
    "renamed",
    "replaced",
    "tensors",
    "without",
]


def children(value: Any) -> list[tuple[Any, Any]]:
    """Return the entries of a plain container, by key or position; nothing of anything else."""
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if type(value) in (list, tuple) else []


_DEPTH = 30
_PLACES = 1_000_000


def _inside(value: Any, above: tuple[int, ...]) -> list[tuple[Any, Any]]:
    """Return the entries of a container, unless it stands inside itself or is too deep down."""
    return [] if id(value) in above or len(above) > _DEPTH else children(value)


def at_place(root: Any, keys: Keys) -> Any:
    """Return what is at a place."""
    for key in keys:
        root = root[key]
    return root


def changed(root: Any, keys: Keys, change: Callable[[Any], Any]) -> Any:
    """Return a copy of nested containers with ``change(value)`` at one place; the rest is shared with the original."""
    if not keys:
        return change(root)
    value = changed(root[keys[0]], keys[1:], change)
    items = [value if key == keys[0] else item for key, item in children(root)]
    return refilled(root, dict(zip(root, items, strict=True))) if isinstance(root, Mapping) else type(root)(items)


def replaced(root: Any, keys: Keys, value: Any) -> Any:
    """Return a copy of nested containers with another value at one place."""
    return changed(root, keys, lambda _: value)


def without(root: Any, keys: Keys) -> Any:
    """Return a copy of nested containers without one place."""

    def drop(container: Any) -> Any:
        if isinstance(container, Mapping):
            return refilled(container, {key: item for key, item in container.items() if key != keys[-1]})
        return type(container)(item for index, item in enumerate(container) if index != keys[-1])

    return changed(root, keys[:-1], drop)


def renamed(root: Any, keys: Keys, name: Any) -> Any:
    """Return a copy of nested containers in which the last key is another one, at the same place in the order."""

    def rename(mapping: Any) -> Any:
        return refilled(mapping, {name if key == keys[-1] else key: item for key, item in mapping.items()})

    return changed(root, keys[:-1], rename)


def refilled(mapping: Any, items: Mapping[Any, Any]) -> Any:
    """Return a copy of a mapping with other items."""
    copied = copy.copy(mapping)  # unlike dict(mapping), keeps the class and a state dict's _metadata
    copied.clear()
    copied.update(items)
    return copied


def tensors(value: Any) -> Iterator[tuple[Keys, torch.Tensor]]:
    """Yield the tensors in nested plain containers with their places.

    A list that holds another one twice, and so on, makes a million places of a file of a few hundred bytes:
    no more than that are looked at.
    """
    visited = 0
    waiting: deque[tuple[Any, Keys, tuple[int, ...]]] = deque([(value, (), ())])
    while waiting and visited < _PLACES:
        value, keys, above = waiting.popleft()
        visited += 1
        if isinstance(value, torch.Tensor):
            yield keys, value
        waiting.extend((item, (*keys, key), (*above, id(value))) for key, item in _inside(value, above))


def _is_optimizer_state(value: Any) -> bool:
    """Whether a value has the form of an optimizer's state dict."""
    if not isinstance(value, Mapping) or not isinstance(value.get("state"), Mapping):
        return False
    groups = value.get("param_groups")
    return isinstance(groups, list) and all(
        isinstance(g, Mapping) and isinstance(g.get("params"), list) for g in groups
    )


def optimizer_states(value: Any, keys: Keys = (), _above: tuple[int, ...] = ()) -> Iterator[Keys]:
    """Yield the places of optimizers' state dicts."""
    if _is_optimizer_state(value):
        yield keys
        return
    for key, item in _inside(value, _above):
        yield from optimizer_states(item, (*keys, key), (*_above, id(value)))
