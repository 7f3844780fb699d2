"""Paths into a state: keys from the root, spelled as torch spells them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TypeAlias

__all__ = ["Bracketed", "Keys", "matches_any", "spell"]

Keys: TypeAlias = "tuple[object, ...]"


class Bracketed(str):
    """A key that is a name with dots of its own, spelled in brackets: ``state[layer.0.weight]``."""

    __slots__ = ()


def spell(keys: Keys) -> str:
    """Spell keys from the root as one dotted path, such as ``optimizer.state[fc.weight].exp_avg``."""
    text = ""
    for key in keys:
        if isinstance(key, str) and not isinstance(key, Bracketed):
            text = f"{text}.{key}" if text else key
        else:
            text += f"[{key}]"
    return text


def matches_any(path: str, globs: tuple[str, ...]) -> bool:
    """Whether a path, or a parent of it, matches one of the globs."""
    if not globs:
        return False
    return any(_matches(path, glob) for glob in globs)


def _matches(path: str, glob: str) -> bool:
    # "[" belongs to paths (`state[fc.weight]`), so it opens no character class here.
    # A glob that names a component or a layer means everything below it.
    pattern = glob.replace("[", "[[]")
    return any(fnmatchcase(path, pattern + below) for below in ("", ".*", "[[]*"))
