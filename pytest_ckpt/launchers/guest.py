"""What a new process does: take over the surroundings, unpack, and do each task in a process of its own."""

from __future__ import annotations

import errno
import faulthandler
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

from pytest_ckpt.launchers.arrival import unpack
from pytest_ckpt.launchers.request import Request, Surroundings, Task
from pytest_ckpt.launchers.settings import apply_settings
from pytest_ckpt.launchers.wire import encode
from pytest_ckpt.state.belonging import LIBRARY_FOLDERS

__all__ = ["Answer", "enter", "is_fresh", "perform", "receive"]

Answer = tuple[str, Any]
"""``("value", bytes)``, ``("raised", (text, lines))`` or ``("lost", (text, lines))``."""
_fresh = False


def is_fresh() -> bool:
    """Whether this process is one that was started for a task."""
    return _fresh


def enter(surroundings: Surroundings) -> None:
    """Take over the environment, the working directory and the settings of the process that asks."""
    global _fresh
    _fresh = True
    seed = os.environ.get("PYTHONHASHSEED")
    os.environ.clear()
    os.environ.update(surroundings.environment)
    if seed is not None:
        os.environ["PYTHONHASHSEED"] = seed
    tempfile.tempdir = None
    os.chdir(surroundings.folder)
    # As in a new interpreter; python's own generator does so by itself in a forked process.
    torch.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()
    apply_settings(surroundings.settings)


def receive(request: Request) -> tuple[Any, Answer | None]:
    """Enter the surroundings and unpack; return what was packed, or why it could not be unpacked."""
    faulthandler.dump_traceback_later(request.timeout, exit=True)
    try:
        enter(request.surroundings)
        return unpack(request.package), None
    except BaseException as error:  # A module may raise SystemExit.
        return None, ("lost", _described(error))
    finally:
        faulthandler.cancel_dump_traceback_later()


def perform(task: Task, thing: Any, timeout: float) -> Answer:
    """Call a task's function with what was packed."""
    faulthandler.enable()
    faulthandler.dump_traceback_later(timeout, exit=True)
    module, _, name = task.function.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    if task.hidden:
        _hide(frozenset(task.hidden))
    try:
        if task.folder:
            os.chdir(task.folder)
        return "value", encode(function(thing, **task.arguments))
    except BaseException as error:  # What a program raises; SystemExit, too.
        return "raised", _described(error)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _described(error: BaseException) -> tuple[str, tuple[str, ...]]:
    text = "".join(traceback.format_exception_only(error)).strip()
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<frozen")]
    own = [f for f in frames if "pytest_ckpt" not in f.filename and not f.filename.startswith(LIBRARY_FOLDERS)]
    return text, tuple(f"    at {f.filename}:{f.lineno}, in {f.name}: {f.line}" for f in (own or frames)[-3:])


def _hide(files: frozenset[str]) -> None:
    """Let nobody in this process read or find these files."""
    original = os.stat

    def is_hidden(path: Any) -> bool:
        try:
            return os.path.realpath(os.fsdecode(path)) in files
        except TypeError:  # a file descriptor
            return False

    def stat(path: Any, *args: Any, **options: Any) -> os.stat_result:
        if is_hidden(path):
            raise _no_such_file(path)
        return original(path, *args, **options)

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and is_hidden(args[0]):
            raise _no_such_file(args[0])

    os.stat = stat
    sys.addaudithook(audit)


def _no_such_file(path: Any) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
