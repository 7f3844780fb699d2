"""``ckpt.golden()``: where its files are, what holds for it, and what it leaves for the end of the session."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_ckpt.errors import CkptError, UsageError
from pytest_ckpt.golden.guarding import MODES, Guarded, Request, guard
from pytest_ckpt.inspection import UnreadableFile
from pytest_ckpt.plugin.settings import golden_marks
from pytest_ckpt.plugin.stash import GOLDEN_USED, GOLDEN_WROTE, golden_directory

__all__ = ["Guard", "guard_of"]

Guard = Callable[..., Guarded]
_MODE = "backward"


def guard_of(node: pytest.Item) -> Guard:
    """Return the function behind ``ckpt.golden()`` for one test."""
    return partial(_guard, node)


def _guard(node: pytest.Item, make_run: Any, name: str, mode: str | None, at: int, format: str) -> Guarded:
    request = _request(node, name, mode, at, format)
    node.user_properties.append((GOLDEN_USED, str(request.directory)))
    try:
        guarded = guard(make_run, request)
    except UnreadableFile as error:
        raise CkptError(f"The checkpoint of {name} cannot be described: {error}") from error
    node.user_properties += [(GOLDEN_WROTE, line) for line in guarded.wrote]
    return guarded


def _request(node: pytest.Item, name: str, mode: str | None, at: int, format: str) -> Request:
    if not name or name != Path(name).name or name.startswith("."):
        raise UsageError(f"{name!r} cannot be the name of a manifest: it becomes the name of a directory.")
    config, marks = node.config, golden_marks(node)
    if config.getoption("ckpt_update", None) is None:
        raise UsageError("ckpt.golden() needs the options of pytest_ckpt.plugin.options, which is switched off.")
    chosen = mode or marks.get("golden_mode") or config.getini("ckpt_golden_mode") or _MODE
    if chosen not in MODES:
        raise UsageError(f"golden mode {chosen!r}; there are {', '.join(MODES)}.")
    folder = Path(marks.get("golden_directory") or golden_directory(config))
    command = f"pytest {shlex.quote(node.nodeid)} --ckpt-update"
    request = Request(name=name, directory=node.path.parent / folder / name, mode=chosen, at=at, format=format)
    return replace(
        request,
        update=config.getoption("ckpt_update"),
        keep=config.getoption("ckpt_keep") or "",
        command=command,
    )
