"""What a test, its markers, the command line and the ini file ask for; the first of them wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import pytest

from pytest_ckpt.errors import UsageError
from pytest_ckpt.plugin.stash import FROM_CONFIG

__all__ = ["Settings", "golden_marks", "require_formats", "require_names", "settings_of"]

OWN_FORMAT = "own"  # runs.storage has it too, but imports torch
_GOLDEN_KEYWORDS = ("golden_mode", "golden_directory")
_MARKER_KEYWORDS = ("steps", "at", "formats", "devices", "ignore", "select", "expected_failures", *_GOLDEN_KEYWORDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Options of ``check_training_run``; ``None`` is what nobody asked for.

    Attributes:
        steps: Training steps of the uninterrupted run.
        at: Steps to save after and to resume from.
        formats: Formats to try.
        ignore: Globs of paths that the project chooses not to restore.
        select: Check names, groups and globs.
        devices: Devices to make the run on.
        expected_failures: Check name to the reason why its failure is accepted.
        devices_where_taken: Whether the devices hold for the runs alone that take one: those of the command line and
            the ini file, which speak of all runs.
        from_ini: The names of those that come from the ini file.
    """

    steps: int | None = None
    at: tuple[int, ...] | None = None
    formats: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    select: tuple[str, ...] | None = None
    devices: tuple[str, ...] | None = None
    expected_failures: Mapping[str, Any] | None = None
    devices_where_taken: bool = False
    from_ini: frozenset[str] = frozenset()

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Settings:
        """Read the options of a call or a marker, where one name or number may stand for several.

        Raises:
            UsageError: If an option makes no sense, or there is no such format.
        """
        require_names(given, _OPTIONS, "The call")
        known = dict(given)
        for name in ("at", "formats", "ignore", "select", "devices"):
            if known.get(name) is not None:
                known[name] = _several(name, known[name])
        require_formats(known.get("formats") or ())
        return cls(**known)

    def over(self, below: Settings) -> Settings:
        """Return these settings, and those of ``below`` where these say nothing."""
        return Settings(
            **{**below.given(), **self.given()},
            devices_where_taken=below.devices_where_taken and self.devices is None,
            from_ini=below.from_ini - self.given().keys(),
        )

    @property
    def places(self) -> list[tuple[str, str]]:
        """Each format on each device; empty for the run's own."""
        return list(product(self.formats or ("",), self.devices or ("",)))

    def of_run(self, make_run: Any) -> Settings:
        """Return what holds for a run: devices of the command line or the ini file only if it takes one."""
        if self.devices is None or not self.devices_where_taken:
            return self
        from pytest_ckpt.runs import takes_device

        return self if takes_device(make_run) else replace(self, devices=None)

    def given(self) -> dict[str, Any]:
        """Return what was asked for, as keywords of ``check_training_run``."""
        values = {name: getattr(self, name) for name in _OPTIONS}
        return {name: value for name, value in values.items() if value is not None}


_OPTIONS = tuple(field.name for field in fields(Settings) if field.name not in ("devices_where_taken", "from_ini"))


def settings_of(node: pytest.Item, **call: Any) -> Settings:
    """Return what holds for a test: the call before its markers, those before the command line and the ini file.

    Raises:
        UsageError: If the call or a marker asks for what there is not.
    """
    marked = {name: value for name, value in _marked(node).items() if name not in _GOLDEN_KEYWORDS}
    given = {name: value for name, value in call.items() if value is not None}
    from_config = node.config.stash.get(FROM_CONFIG, Settings())
    return Settings.read({**marked, **given}).over(from_config)


def golden_marks(node: pytest.Item) -> dict[str, Any]:
    """Return what markers say of ``ckpt.golden()``.

    Raises:
        UsageError: If a marker asks for what there is not.
    """
    return {name: value for name, value in _marked(node).items() if name in _GOLDEN_KEYWORDS}


def _marked(node: pytest.Item) -> dict[str, Any]:
    marked: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers("ckpt"))):  # the closest one last, so that it wins
        _require_keywords(mark)
        marked |= mark.kwargs
    return marked


def require_formats(names: Iterable[str]) -> None:
    """Raise if there is no format of one of these names; imports none of them.

    Raises:
        UsageError: If so, with a name that is close.
    """
    if not (asked_for := list(names)):
        return
    from pytest_ckpt.formats.registry import format_names, get_format

    for name in asked_for:
        if name not in (OWN_FORMAT, *format_names()):
            get_format(name)


def _require_keywords(mark: pytest.Mark) -> None:
    if mark.args:
        known = ", ".join(_MARKER_KEYWORDS)
        raise UsageError(f"@pytest.mark.ckpt takes keywords only, not {mark.args[0]!r}. There are: {known}.")
    require_names(mark.kwargs, _MARKER_KEYWORDS, "@pytest.mark.ckpt")


def require_names(given: Iterable[str], known: Sequence[str], what: str) -> None:
    """Raise if a name is none of the known ones.

    Raises:
        UsageError: If so, with a name that is close.
    """
    for name in given:
        if name not in known:
            from difflib import get_close_matches

            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise UsageError(f"{what} takes no {name!r}. {hint}There are: {', '.join(known)}.")


def _several(name: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, str | int):
        return (value,)
    try:
        return tuple(value)
    except TypeError:
        raise UsageError(f"{name}={value!r}: give one, or a sequence of them.") from None
