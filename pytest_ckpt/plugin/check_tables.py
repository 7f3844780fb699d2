"""``[tool.pytest-ckpt.checks.NAME]`` in the project's ``pyproject.toml``: settings of one check alone."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pytest_ckpt.check_settings import CheckSettings
from pytest_ckpt.checks import get_check
from pytest_ckpt.errors import UsageError
from pytest_ckpt.expectations import read_expectation
from pytest_ckpt.plugin.settings import Settings, require_formats, require_names

__all__ = ["per_check"]

_FILE = "pyproject.toml"
_ROOT = "tool.pytest-ckpt"
_TABLES = pytest.StashKey[dict[str, CheckSettings]]()
_KEYS = [field.name for field in fields(CheckSettings) if field.name != "place"]
_KINDS: Mapping[str, tuple[type, str]] = {
    "enabled": (bool, "true or false"),
    "steps": (int, "a number of training steps"),
    "at": (int, "a step to save after, or a list of them"),
    "ignore": (str, "a glob of paths, or a list of them"),
    "formats": (str, "a format, or a list of them"),
}
_SEVERAL = ("at", "ignore", "formats")


def per_check(config: pytest.Config, settings: Settings) -> dict[str, CheckSettings]:
    """Return what the project settles for single checks, where neither call, marker nor command line do.

    Raises:
        UsageError: If the file, a table or a value in it makes no sense.
    """
    if _TABLES not in config.stash:
        config.stash[_TABLES] = _read_file(config.rootpath / _FILE)
    settled = settings.given().keys() - settings.from_ini
    # What a test expects is all that it expects.
    names = {"expected_failure" if name == "expected_failures" else name for name in settled}
    return {name: found.without(names) for name, found in config.stash[_TABLES].items()}


def _read_file(path: Path) -> dict[str, CheckSettings]:
    if not path.is_file():
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{_FILE}: {error}") from None
    if "pytest_ckpt" in document.get("tool", {}):
        raise UsageError(f"{_FILE}: [tool.pytest_ckpt] is read by nobody; it is spelled [{_ROOT}].")
    ours = _table(document.get("tool", {}).get("pytest-ckpt", {}), _ROOT, ["checks"])
    tables = _table(ours.get("checks", {}), f"{_ROOT}.checks")
    return {name: _read_check(name, table) for name, table in tables.items()}


def _table(value: Any, name: str, keys: list[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{_FILE}: [{name}] is {value!r}, not a table.")
    if keys is not None:
        require_names(value, keys, f"{_FILE}: [{name}]")
    return value


def _read_check(name: str, value: Any) -> CheckSettings:
    place = f"{_FILE}: [{_ROOT}.checks.{name}]"
    try:
        get_check(name)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from None
    table = _table(value, f"{_ROOT}.checks.{name}", _KEYS)
    return CheckSettings(place=place, **{key: _read_value(key, found, place) for key, found in table.items()})


def _read_value(key: str, value: Any, place: str) -> Any:
    if key == "expected_failure":
        return read_expectation(value, f"{place} {key}", place)
    kind, words = _KINDS[key]
    values = value if key in _SEVERAL and isinstance(value, list) else [value]
    if any(type(item) is not kind for item in values) or (not values and key != "ignore"):
        raise UsageError(f"{place} {key} is {value!r}; it is {words}.")
    if key == "formats":
        _require_formats(values, place)
    return tuple(values) if key in _SEVERAL else value


def _require_formats(names: list[str], place: str) -> None:
    try:
        require_formats(names)
    except UsageError as error:
        raise UsageError(f"{place} formats: {error}") from None
