"""``MODULE:FACTORY`` and ``path/to/file.py:FACTORY``."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_ckpt.errors import UsageError

__all__ = ["load_target"]


def load_target(target: str, session: pytest.Session) -> Callable[..., Any]:
    """Import what a target names.

    Raises:
        UsageError: If the target is none, or there is no such module, attribute or function.
    """
    place, _, names = target.rpartition(":")
    if not place or not names:
        raise UsageError(f"--ckpt-run={target}: write MODULE:FACTORY or path/to/file.py:FACTORY.")
    found: Any = _load_file(place, target, session) if place.endswith(".py") else _load_module(place, target)
    for name in names.split("."):
        if not hasattr(found, name):
            where = f"{place!r} has" if isinstance(found, ModuleType) else f"{found!r} has"
            raise UsageError(f"--ckpt-run={target}: {where} no attribute {name!r}.{_hint(name, dir(found))}")
        found = getattr(found, name)
    if not callable(found):
        raise UsageError(
            f"--ckpt-run={target}: it is a {type(found).__qualname__}, not a function that makes a fresh run."
        )
    return found  # type: ignore[no-any-return]


def _load_file(place: str, target: str, session: pytest.Session) -> ModuleType:
    path = session.config.invocation_params.dir / place
    if not path.is_file():
        names = [other.name for other in path.parent.glob("*.py")]
        raise UsageError(f"--ckpt-run={target}: there is no file {str(path)!r}.{_hint(path.name, names)}")
    # As pytest imports a test file of that path, so that --import-mode holds for it.
    module: ModuleType = pytest.Module.from_parent(session, path=path).obj
    return module


def _load_module(place: str, target: str) -> ModuleType:
    try:
        return import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise  # the module is there, and misses another one
        parent, _, name = error.name.rpartition(".")
        hint = _hint(name, _modules_in(parent))
        raise UsageError(f"--ckpt-run={target}: there is no module {error.name!r}.{hint}") from None


def _modules_in(parent: str) -> list[str]:
    path = list(import_module(parent).__path__) if parent else [str(Path.cwd())]
    return [module.name for module in pkgutil.iter_modules(path)]


def _hint(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=3)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
