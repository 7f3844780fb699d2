"""The places of nested data, one after the other: bounded, because a small file may describe endlessly many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_ckpt.inspection.contents import ArrayInfo, Call, StorageInfo, TensorInfo, UnreadableFile, name_of

__all__ = ["walk"]

_PLACES = 1_000_000
_AGAIN = 20_000
_DEPTH = 60


def walk(root: Any) -> Iterator[tuple[tuple[object, ...], Any]]:
    """Yield the leaves of nested containers with the keys that lead to them, in the file's order.

    A list of many numbers is one leaf, and so is an empty container. What an object has as attributes stands directly
    below it. What is more than 60 deep is not looked into.

    Raises:
        UnreadableFile: If there are more than a million places, or more than 20,000 in containers that were met before:
            a list that holds another one twice, and so on, has endlessly many of them in a few hundred bytes.
    """
    waiting: list[tuple[tuple[object, ...], Any, frozenset[int]]] = [((), root, frozenset())]
    met: set[int] = set()
    visited = again = 0
    while waiting:
        keys, value, above = waiting.pop()
        inside = [] if id(value) in above or len(keys) > _DEPTH else _children(value)
        visited += 1
        again += len(inside) if id(value) in met else 0
        if visited > _PLACES or again > _AGAIN:
            raise UnreadableFile("It has endlessly many places to look at: no checkpoint, or made to keep us busy.")
        if not inside:
            yield keys, _bare(value) if isinstance(value, StorageInfo) else value
            continue
        met.add(id(value))
        below = above | {id(value)}
        waiting.extend(((*keys, key), item, below) for key, item in reversed(inside))


def _bare(storage: StorageInfo) -> TensorInfo:
    """Return a storage that stands there without a tensor as one, so that it is listed and compared like one."""
    return TensorInfo(dtype=storage.dtype, shape=(storage.numel,), strides=(1,), kind="storage", storages=(storage,))


def _children(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return [(_key(key, number), item) for number, (key, item) in enumerate(value.items())]
    if isinstance(value, list | tuple):
        return [] if _is_numbers(value) else list(enumerate(value))
    if isinstance(value, ArrayInfo):
        return list(enumerate(value.items))
    if isinstance(value, Call):
        state = value.state if isinstance(value.state, dict) else {"<state>": value.state}
        parts = {"<args>": value.args, **state, "<items>": value.items}
        named = ((name, part) for name, part in parts.items() if name not in _OWN or part)
        return [(_key(name, number), part) for number, (name, part) in enumerate(named)]
    return []


_OWN = ("<args>", "<state>", "<items>")
_MANY_NUMBERS = 16  # More are a table, such as the state of a random generator, and one leaf.


def _is_numbers(value: list[Any] | tuple[Any, ...]) -> bool:
    return len(value) > _MANY_NUMBERS and all(type(item) in (int, float) for item in value)


def _key(key: Any, number: int) -> Any:
    if isinstance(key, TensorInfo | Call):  # as in the state of an optimizer, pickled as a whole
        return f"<key {number}>"
    if isinstance(key, str) or (type(key) is int and abs(key) < 1 << 64):
        return key
    if isinstance(key, tuple) and len(key) < _MANY_NUMBERS:
        return f"({', '.join(map(name_of, key))})"
    return repr(key) if isinstance(key, float | complex | bytes) or key is None else name_of(key)
