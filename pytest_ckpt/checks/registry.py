"""The catalogue: one named check per property."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TypeAlias

from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.checks.outcome import Outcome
from pytest_ckpt.errors import UsageError

__all__ = ["CHECKS", "DEFAULT_GROUPS", "GROUPS", "Check", "check", "get_check", "select_checks"]

GROUPS = (
    "fidelity",
    "resume",
    "side_effects",
    "processes",
    "placement",
    "strictness",
    "durability",
    "safety",
    "economy",
)
"""All groups, in the order they run."""
DEFAULT_GROUPS = GROUPS[:5]
"""The groups that hold for any correct program; the others are promises that a project chooses to make."""

CheckFunction: TypeAlias = Callable[[Evidence], Outcome]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One property that a checkpoint must have.

    Attributes:
        name: What users select and expect it by.
        group: The group it belongs to.
        summary: The property, in one sentence.
        why: Why it is a check of its own.
        remedy: What to do when it fails.
        run: Judges what was seen of a run.
    """

    name: str
    group: str
    summary: str
    why: str
    remedy: str
    run: CheckFunction

    @property
    def default(self) -> bool:
        """Whether it runs unless a project says otherwise."""
        return self.group in DEFAULT_GROUPS


_REMEDY = "What to do: "
_NOTHING: Mapping[str, bool] = MappingProxyType({})
_CHECKS: dict[str, Check] = {}
CHECKS = MappingProxyType(_CHECKS)
"""Every check by name."""


def check(group: str) -> Callable[[CheckFunction], CheckFunction]:
    """Enter a function ``check_<name>`` into the catalogue.

    The first line of its docstring is the summary, the next paragraph says why, and the last one, which begins
    with ``What to do:``, is the remedy.
    """

    def enter(function: CheckFunction) -> CheckFunction:
        summary, _, rest = (function.__doc__ or "").strip().partition("\n")
        why, _, remedy = " ".join(rest.split()).partition(_REMEDY)
        name = function.__name__.removeprefix("check_")
        _CHECKS[name] = Check(name=name, group=group, summary=summary, why=why.rstrip(), remedy=remedy, run=function)
        return function

    return enter


def get_check(name: str) -> Check:
    """Return the check of that name.

    Raises:
        UsageError: If there is none, with a name that is close.
    """
    if name not in CHECKS:
        raise _no_check(name, list(CHECKS))
    return CHECKS[name]


def select_checks(select: Iterable[str], enabled: Mapping[str, bool] = _NOTHING) -> list[Check]:
    """Return the checks that names, group names, ``default``, ``all`` or globs ask for, in catalogue order.

    Args:
        select: The words.
        enabled: Check name to whether it belongs to the default checks, where a project says so. One that does
            not is only selected by its own name.

    Raises:
        UsageError: If a word selects nothing.
    """
    words = [select] if isinstance(select, str) else list(select)
    chosen: set[str] = set()
    for word in words:
        found = {name for name, item in CHECKS.items() if _matches(word, item, enabled.get(name, item.default))}
        if not found and word not in GROUPS:
            raise _no_check(word, ["default", "all", *_groups(), *CHECKS])
        chosen |= {name for name in found if name == word or enabled.get(name, True)}
    return sorted((item for item in CHECKS.values() if item.name in chosen), key=lambda item: GROUPS.index(item.group))


def _groups() -> list[str]:
    return [group for group in GROUPS if any(item.group == group for item in CHECKS.values())]


def _matches(word: str, item: Check, default: bool) -> bool:
    if word in ("default", "all"):
        return word == "all" or default
    return word == item.group or fnmatchcase(item.name, word)


def _no_check(name: str, known: list[str]) -> UsageError:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return UsageError(f"No check is called {name!r}. {hint}There are: {', '.join(known)}.")
