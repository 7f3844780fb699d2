"""The versions of modules in a state dict: ``_metadata``, by which ``_load_from_state_dict`` knows what it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_ckpt.golden.manifest import Manifest
from pytest_ckpt.paths import spell

__all__ = ["with_versions"]

_FIRST = 1  # torch.nn.Module._version of a module that does not say


def with_versions(root: Any, old: Manifest, prefix: str) -> Any:
    """Give state dicts the versions that their modules had when an old manifest was written.

    Args:
        root: The content of a file. Its containers are changed.
        old: The manifest.
        prefix: What paths into this file begin with.
    """
    for keys, mapping in _state_dicts(root):
        place = f"{prefix}{spell(keys)}"
        component = _component(place, mapping, old.holds)
        versions = dict(_versions(old.components.get(component, {}))) if component else {}
        if component:
            names = {**mapping._metadata, **versions}
            was = {name: {**mapping._metadata.get(name, {}), "version": versions.get(name, _FIRST)} for name in names}
            mapping._metadata = type(mapping._metadata)(was)
    return root


def _state_dicts(value: Any, keys: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], Any]]:
    if isinstance(value, Mapping):
        if isinstance(getattr(value, "_metadata", None), dict):
            yield keys, value
        for key, item in value.items():
            yield from _state_dicts(item, (*keys, key))
    elif type(value) in (list, tuple):
        for index, item in enumerate(value):
            yield from _state_dicts(item, (*keys, index))


def _component(place: str, mapping: Mapping[Any, Any], holds: Mapping[str, str]) -> str:
    """Return the component whose whole state a mapping is."""
    for key in mapping:
        state = holds.get(f"{place}.{key}" if place and not place.endswith(": ") else f"{place}{key}", "")
        if state and state.endswith(f".{key}"):
            component = state.removesuffix(f".{key}")
            return component if "." not in component else ""
    return ""


def _versions(component: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    for path, words in component.items():
        if path.startswith("version[") and words.isdigit():
            name = path.removeprefix("version[").removesuffix("]")
            yield "" if name == "itself" else name, int(words)
