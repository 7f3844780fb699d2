"""A server of its own program that has torch loaded and used once, and forks one process per request.

Nothing of a project is imported here, so a forked process has never seen its objects. It is started as
``python -c "...; main(descriptor)"`` and ends when the other end of its socket is closed, or its parent is gone; what
it has forked ends with it.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

__all__ = ["DESCRIPTORS", "die_with_parent", "main"]

DESCRIPTORS = 3
"""How many come with a request: the connection, where to tell how it ended, and the file for what it prints."""
_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 1.0


def main(descriptor: int, modules: Sequence[str]) -> None:
    """Load modules, then serve until the other end is closed."""
    parent = os.getppid()
    _load(modules)
    # What is here now is never looked at again by a forked process, so its pages stay shared.
    gc.collect()
    gc.freeze()
    _Server(socket.socket(fileno=descriptor), parent).serve()


def _load(modules: Sequence[str]) -> None:
    import torch

    torch.set_num_threads(1)  # A process that has used more cannot be forked: the child hangs.
    before = _count_of_threads()
    for name in modules:
        with suppress(Exception):
            import_module(name)
        if _count_of_threads() > before or torch.cuda.is_initialized():
            _start_again_without(name, modules)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()


def _count_of_threads() -> int:
    """Return how many threads there are, those of C++ included; one is what can be forked."""
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1


def _start_again_without(name: str, modules: Sequence[str]) -> None:
    """Become a new program, with the same socket: what a library has started cannot be undone."""
    package = name.split(".")[0]
    rest = [other for other in modules if other.split(".")[0] != package]
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:-1], json.dumps(rest)])


class _Server:
    def __init__(self, control: socket.socket, parent: int) -> None:
        self._control, self._parent = control, parent
        self._tell: dict[int, int] = {}
        self._wakeup, self._woken = socket.socketpair()
        for end in (self._wakeup, self._woken):
            end.setblocking(False)

    def serve(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        try:
            while os.getppid() == self._parent:
                ready, _, _ = select.select([self._control, self._wakeup], [], [], _LOOK_SECONDS)
                if self._wakeup in ready:
                    self._wakeup.recv(4096)
                    self._reap()
                if self._control in ready and not self._accept():
                    break
        finally:
            for pid in self._tell:
                _kill_group(pid)

    def _reap(self) -> None:
        for pid in list(self._tell):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                _kill_group(pid)  # what it may have left behind
                tell = self._tell.pop(pid)
                with suppress(OSError):  # Nobody waits for it any more.
                    os.write(tell, struct.pack("i", status))
                os.close(tell)

    def _accept(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, 1, DESCRIPTORS)
        if not data:
            return False
        connection, tell, output = descriptors
        pid = os.fork()
        if pid == 0:
            self._become_guest(connection, tell, output)
        with suppress(OSError):  # whoever of the two comes first
            os.setpgid(pid, pid)
        os.close(connection)
        os.close(output)
        with suppress(OSError):
            os.write(tell, struct.pack("i", pid))
        self._tell[pid] = tell
        return True

    def _become_guest(self, connection: int, tell: int, output: int) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setpgid(0, 0)
            die_with_parent()
            for end in (self._control, self._wakeup, self._woken):
                end.close()
            for other in (*self._tell.values(), tell):
                os.close(other)
            _redirect(output)
            from pytest_ckpt.launchers.fork import serve_request

            serve_request(socket.socket(fileno=connection))
            status = 0
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)


def die_with_parent() -> None:
    """Have this process killed when the one that forked it ends; only Linux can."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _redirect(output: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(nothing)
    os.close(output)
