"""The client of the zygote: one per process, started on first use, gone with it."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from pytest_ckpt.launchers.fork import how_it_ended, read_frames, write_frame
from pytest_ckpt.launchers.guest import Answer
from pytest_ckpt.launchers.request import Request
from pytest_ckpt.launchers.travel import libraries_in_use

__all__ = ["Lost", "Server", "another_hash_seed"]

_START_SECONDS = 120.0
_GRACE_SECONDS = 10.0
_PROGRAM = (
    "import json, sys; path, modules = map(json.loads, sys.argv[2:4]); sys.path[:] = path; descriptor = sys.argv[1]; "
    "del sys.argv[1:]; from pytest_ckpt.launchers.zygote import main; main(int(descriptor), modules)"
)


class Lost(Exception):
    """The server or the process it forked is gone."""


def another_hash_seed() -> str:
    """Return a ``PYTHONHASHSEED`` that this process surely or most probably does not have."""
    return "101" if os.environ.get("PYTHONHASHSEED") != "101" else "102"


class Server:
    """A zygote and the connection to it.

    Attributes:
        pid: The process it serves; a process that was forked from that one needs a server of its own.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        self.pid = os.getpid()
        self._control, theirs = socket.socketpair()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  It lives as long as the server.
        ours = sorted(name for name in sys.modules if name.split(".")[0] == "pytest_ckpt")
        wanted = [*ours, *modules, *libraries_in_use()]
        path = [os.path.abspath(entry) for entry in sys.path]
        environment = {**os.environ, "PYTHONHASHSEED": another_hash_seed(), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), json.dumps(path), json.dumps(wanted)],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,  # so that Ctrl-C in the terminal is for the tests alone
        )
        theirs.close()
        atexit.register(self.close)

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self.pid == os.getpid() and self._process.poll() is None

    def close(self) -> None:
        """End the server and what it has forked."""
        atexit.unregister(self.close)
        self._control.close()
        self._output.close()
        if self.pid != os.getpid():
            return
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, request: Request) -> tuple[list[Answer], str]:
        """Send a request to a new process; return its answers and what it printed.

        Raises:
            Lost: If it ends before it has answered.
        """
        ours, theirs = socket.socketpair()
        read_end, write_end = os.pipe()
        with tempfile.TemporaryFile() as output, ours, open(read_end, "rb", buffering=0) as told:
            try:
                socket.send_fds(self._control, [b"r"], [theirs.fileno(), write_end, output.fileno()])
            except OSError:
                raise Lost(f"the server has ended: {self._said()}") from None
            finally:
                theirs.close()
                os.close(write_end)
            guest = _Guest(ours, told)
            try:
                return guest.converse(request), _text(output)
            except BaseException:  # Ctrl-C
                guest.end()
                raise

    def _said(self) -> str:
        return _text(self._output).strip()[-500:]


class _Guest:
    """One forked process, seen from here."""

    def __init__(self, connection: socket.socket, told: IO[bytes]) -> None:
        self._connection, self._told = connection, told
        self._pid = 0

    def converse(self, request: Request) -> list[Answer]:
        # The server may still be loading torch.
        ready, _, _ = select.select([self._told], [], [], _START_SECONDS)
        pid = self._told.read(4) if ready else b""
        if len(pid) < 4:
            raise Lost("the server ended" if ready else f"the server was not ready after {_START_SECONDS:g} s")
        (self._pid,) = struct.unpack("i", pid)
        self._connection.settimeout(request.timeout * (1 + len(request.tasks)) + _GRACE_SECONDS)
        start = time.monotonic()
        answers: list[Answer] = []
        with suppress(OSError):  # It may be gone already: what there is counts.
            write_frame(self._connection, request)
            for answer in read_frames(self._connection):
                start = time.monotonic()
                answers.append(answer)
                if len(answers) == len(request.tasks) or answer[0] == "lost":
                    return answers
        return [*answers, self._ended(time.monotonic() - start, request.timeout)]

    def _ended(self, seconds: float, timeout: float) -> Answer:
        """Say how it ended; one that has not, in a moment, is ended by force."""
        ready, _, _ = select.select([self._told], [], [], 1.0)
        if not ready:
            self.end()
            return "raised", (f"The process did not end within {timeout:g} s.", ())
        status = self._told.read(4)
        if len(status) < 4:
            raise Lost("the server ended")
        return "raised", (how_it_ended(struct.unpack("i", status)[0], seconds, timeout), ())

    def end(self) -> None:
        """End it and what it has started, if that is still there. The server would do so, but it may be gone."""
        if self._pid:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
