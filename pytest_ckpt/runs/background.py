"""Threads that a project's ``save`` starts: held back until training has gone on, then waited for."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import thread as pools
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["BackgroundSaves"]

_PATIENCE_SECONDS = 0.05
_HOLD_SECONDS = 0.25
_WAIT_SECONDS = 30.0
_QUIET_SECONDS = 0.1
_WHERE_THREADS_WAIT = (threading.__file__, queue.__file__, pools.__file__)


class BackgroundSaves:
    """The threads and processes started during saves.

    A save that hands live tensors to a thread is right or wrong by luck: it depends on whether the thread
    writes before the next training step. Holding the thread back until that step is done makes the
    answer the same each time. A copy that was made before the thread started is not affected.
    """

    def __init__(self) -> None:
        self._gate = threading.Event()
        self._returned = threading.Event()
        self._starting = False
        self._threads: list[threading.Thread] = []
        self._processes: list[Any] = []
        self._commands: list[subprocess.Popen[Any]] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hold back the threads that are started in the body, for a quarter of a second at most."""
        self._gate.clear()
        self._returned.clear()
        children, original_start = _children(), threading.Thread.start

        def start(thread: threading.Thread) -> None:
            vars(thread)["run"] = partial(self._run_later, thread.run)
            self._threads.append(thread)
            self._starting = True  # start() itself waits, until the thread is there.
            original_start(thread)
            self._starting = False

        original_init = subprocess.Popen.__init__

        def init(process: subprocess.Popen[Any], *args: Any, **options: Any) -> None:
            original_init(process, *args, **options)
            self._commands.append(process)

        starting = _replaced(threading.Thread, "start", start)
        with starting, _replaced(subprocess.Popen, "__init__", init), self.yielding():
            yield
        self._returned.set()
        self._processes = [process for process in _children() if process not in children]

    @contextmanager
    def yielding(self) -> Iterator[None]:
        """Let the threads go on as soon as the body waits for anything: it may be for them."""
        caller = threading.current_thread()
        original_join, original_wait = threading.Thread.join, threading.Condition.wait

        def join(thread: threading.Thread, timeout: float | None = None) -> None:
            self.release()
            original_join(thread, timeout)

        def wait(condition: threading.Condition, timeout: float | None = None) -> bool:
            # Futures, events and queues wait this way; a pool that looks for an idle worker does not.
            waits = timeout is None or timeout > 0
            if waits and threading.current_thread() is caller and not self._starting:
                self.release()
            return original_wait(condition, timeout)

        with _replaced(threading.Thread, "join", join), _replaced(threading.Condition, "wait", wait):
            yield

    def _run_later(self, run: Any) -> None:
        # While save has not returned it may be waiting for this very thread, in a way that cannot be seen.
        if self._returned.wait(_PATIENCE_SECONDS):
            self._gate.wait(_HOLD_SECONDS)
        run()

    @property
    def busy(self) -> bool:
        """Whether a thread that a save started has not ended."""
        return any(thread.is_alive() for thread in self._threads)

    def release(self) -> None:
        """Let the threads write."""
        self._returned.set()
        self._gate.set()

    def wait(self, directory: Path) -> None:
        """Wait until every thread has ended.

        Workers of a pool live on: until nothing is written any more, or all of them wait for something to do.
        """
        self.release()
        if not (self._threads or self._processes or self._commands):
            return
        deadline = time.monotonic() + _WAIT_SECONDS
        quiet_since, seen = time.monotonic(), _listing(directory)
        while self._working and time.monotonic() < deadline:
            time.sleep(0.005)
            if (now := _listing(directory)) != seen:
                quiet_since, seen = time.monotonic(), now
            elif (now or self._idle) and time.monotonic() - quiet_since > _QUIET_SECONDS + _HOLD_SECONDS:
                break
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._commands = [command for command in self._commands if command.poll() is None]

    @property
    def _working(self) -> bool:
        if any(command.poll() is None for command in self._commands):
            return True
        return any(worker.is_alive() for worker in (*self._threads, *self._processes))

    @property
    def _idle(self) -> bool:
        """Whether nothing but threads is left, and each waits for something to do."""
        if any(worker.is_alive() for worker in self._processes) or any(c.poll() is None for c in self._commands):
            return False
        frames = sys._current_frames()
        at = [frames[thread.ident] for thread in self._threads if thread.ident in frames]
        return all(frame.f_code.co_filename in _WHERE_THREADS_WAIT for frame in at)


@contextmanager
def _replaced(owner: type, name: str, function: Callable[..., Any]) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, function)
    try:
        yield
    finally:
        setattr(owner, name, original)


def _children() -> list[Any]:
    multiprocessing = sys.modules.get("multiprocessing")
    return [] if multiprocessing is None else multiprocessing.active_children()


def _listing(directory: Path) -> list[tuple[str, int, int]]:
    files = []
    for path in sorted(directory.rglob("*")):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # renamed meanwhile
        files.append((str(path), status.st_size, status.st_mtime_ns))
    return files
