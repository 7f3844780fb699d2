"""Containers of a checkpoint, taken apart into paths and put together from them."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Set
from typing import Any

from pytest_ckpt.editing.places import refilled
from pytest_ckpt.inspection import walk
from pytest_ckpt.paths import spell

__all__ = ["keyed_mappings", "place_at", "pruned"]

_DOTS, _NUMBERS = "names with dots", "numbers"
_TOKEN = re.compile(r"\[([^\]]*)\]|\.?([^.\[]+)")


def keyed_mappings(root: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the mappings whose keys are not plain names, with what they are."""
    seen: set[str] = set()
    for keys, _ in walk(root):
        for length, key in enumerate(keys):
            kind = _NUMBERS if isinstance(key, int) else _DOTS if "." in str(key) or "[" in str(key) else ""
            if kind and (path := f"{prefix}{spell(keys[:length])}") not in seen:
                container = _at(root, keys[:length])
                if isinstance(container, Mapping):
                    seen.add(path)
                    yield path, kind


def _at(root: Any, keys: tuple[object, ...]) -> Any:
    try:
        for key in keys:
            root = root[key]
    except (KeyError, IndexError, TypeError):  # in an object that is not looked into
        return None
    return root


def pruned(value: Any, wanted: Set[str], keys: tuple[object, ...] = ()) -> Any:
    """Return nested containers with the leaves of these paths alone; containers that end up empty go as well.

    Returns:
        ``None`` where nothing is left.
    """
    items = list(value.items()) if isinstance(value, Mapping) else list(enumerate(value))
    kept = {}
    for key, item in items:
        place = (*keys, key)
        if spell(place) in wanted:
            kept[key] = item
        elif _is_container(item) and (rest := pruned(item, wanted, place)) is not None:
            kept[key] = rest
    if not kept:
        return None
    return refilled(value, kept) if isinstance(value, Mapping) else type(value)(kept.values())


def _is_container(value: Any) -> bool:
    return isinstance(value, Mapping) or type(value) in (list, tuple)


def place_at(root: Any, path: str, value: Any, keyed: Mapping[str, str]) -> None:
    """Put a value at a path, in containers that are made where there are none.

    Args:
        root: The outermost container.
        path: The path into it.
        value: What to put there.
        keyed: Which mappings have keys that are no plain names.

    Raises:
        ValueError: If there is no such place, or no such container can be made.
    """
    container, done = root, ""
    rest = path
    while True:
        key, rest = _next_key(rest, keyed.get(done, ""))
        done = spell((*((done,) if done else ()), key)) if not isinstance(key, int) else f"{done}[{key}]"
        if not rest:
            _put(container, key, value, path)
            return
        if (inner := _get(container, key)) is None:
            inner = OrderedDict() if keyed.get(done) == _DOTS else [] if _is_list(rest, done, keyed) else {}
            _put(container, key, inner, path)
        container = inner


def _is_list(rest: str, path: str, keyed: Mapping[str, str]) -> bool:
    return rest.startswith("[") and keyed.get(path) != _NUMBERS


def _next_key(path: str, kind: str) -> tuple[Any, str]:
    if kind == _DOTS and not path.startswith("["):
        name = path.removeprefix(".")
        return name, ""
    found = _TOKEN.match(path)
    if found is None:
        raise ValueError(f"{path} is no path")
    index, name = found.groups()
    key = name if index is None else int(index) if index.lstrip("-").isdigit() else index
    return key, path[found.end() :]


def _get(container: Any, key: Any) -> Any:
    if isinstance(container, Mapping):
        return container.get(key)
    return container[key] if isinstance(key, int) and key < len(container) else None


def _put(container: Any, key: Any, value: Any, path: str) -> None:
    if isinstance(container, dict):
        container[key] = value
    elif isinstance(container, list) and key == len(container):
        container.append(value)
    elif isinstance(container, list) and isinstance(key, int) and key < len(container):
        container[key] = value
    else:
        raise ValueError(f"nothing can be put at {path}")
