"""Files that a save writes elsewhere than where it was told to: another machine has the checkpoint alone."""

from __future__ import annotations

import builtins
import functools
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch

__all__ = ["OutsideWrites"]

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_NO_STATE = ("/dev/", "/proc/", "/sys/")


class OutsideWrites:
    """Notes which files are opened for writing during saves, outside of a folder.

    What C++ or Rust writes is not seen, but for ``torch.save``; nor what another process writes.

    Attributes:
        files: Their absolute paths, in the order they were written.
    """

    def __init__(self, folder: Path) -> None:
        self._inside = str(folder.resolve()) + os.sep
        self._saving = False
        self._caller = threading.current_thread()
        self.files: dict[str, None] = {}

    def during(self, save: Callable[..., None]) -> Callable[..., None]:
        """Return a save that is watched."""

        def watched(*args: Any) -> None:
            self._saving = True
            try:
                save(*args)
            finally:
                self._saving = False

        return watched

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch in the body: the saves, and whatever other threads write."""
        with ExitStack() as stack:
            for owner in (builtins, io):
                stack.enter_context(mock.patch.object(owner, "open", self._noting(io.open, _opens_for_writing)))
            stack.enter_context(mock.patch.object(os, "open", self._noting(os.open, _has_writing_flags)))
            stack.enter_context(mock.patch.object(torch, "save", self._noting_second(torch.save)))
            yield

    def _noting(self, function: Callable[..., Any], writes: Callable[..., bool]) -> Callable[..., Any]:
        @functools.wraps(function)
        def noting(path: Any, *args: Any, **options: Any) -> Any:
            if writes(*args, **options):
                self._note(path)
            return function(path, *args, **options)

        return noting

    def _noting_second(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def noting(obj: Any, f: Any, *args: Any, **options: Any) -> Any:
            self._note(f)
            return function(obj, f, *args, **options)

        return noting

    def _note(self, path: Any) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        if not self._saving and threading.current_thread() is self._caller:
            return
        file = os.path.realpath(os.fsdecode(path))
        if not file.startswith((self._inside, *_NO_STATE)) and "__pycache__" not in file:
            self.files[file] = None


def _opens_for_writing(mode: Any = "r", *args: Any, **options: Any) -> bool:
    return isinstance(mode, str) and any(letter in mode for letter in "wax+")


def _has_writing_flags(flags: int = 0, *args: Any, **options: Any) -> bool:
    return bool(flags & _WRITING)
