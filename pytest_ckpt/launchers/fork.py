"""What a forked process does with its request: unpack it once, then one more fork for each task."""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import struct
import sys
import time
from typing import Any

from pytest_ckpt.launchers.guest import Answer, perform, receive
from pytest_ckpt.launchers.request import Request, Task
from pytest_ckpt.launchers.zygote import die_with_parent

__all__ = ["how_it_ended", "read_frames", "serve_request", "write_frame"]

_LOOK_SECONDS = 0.05


def serve_request(connection: socket.socket) -> None:
    """Read a request, and write one answer per task, or a single one if nothing could be unpacked.

    The last task is done in this very process, which ends with it: whoever asked is told how.
    """
    request: Request = next(iter(read_frames(connection)))
    thing, problem = receive(request)
    if problem is not None:
        write_frame(connection, problem)
        return
    *others, last = request.tasks
    for task in others:
        write_frame(connection, _perform_apart(task, thing, request.timeout))
    _perform_and_answer(connection, last, thing, request.timeout)


def _perform_and_answer(connection: socket.socket, task: Task, thing: Any, timeout: float) -> None:
    answer = perform(task, thing, timeout)
    sys.stdout.flush()
    sys.stderr.flush()
    write_frame(connection, answer)


def _perform_apart(task: Task, thing: Any, timeout: float) -> Answer:
    """Do a task in a forked process, so that nothing it does is there for the next one."""
    sys.stdout.flush()
    sys.stderr.flush()
    ours, theirs = socket.socketpair()
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            die_with_parent()
            _perform_and_answer(theirs, task, thing, timeout)
        finally:
            os._exit(0)
    theirs.close()
    answer, status = _first_answer(ours, pid)
    ours.close()
    return answer or ("raised", (how_it_ended(status, time.monotonic() - start, timeout), ()))


def _first_answer(connection: socket.socket, pid: int) -> tuple[Answer | None, int]:
    """Return the answer, if one comes, and how the process ended.

    The end of the connection says nothing: a process that the task has started and left may hold it for ever.
    """
    status = None
    while status is None:
        ready, _, _ = select.select([connection], [], [], _LOOK_SECONDS)
        if ready:
            answer = next(iter(read_frames(connection)), None)
            return answer, os.waitpid(pid, 0)[1]
        found, ended = os.waitpid(pid, os.WNOHANG)
        status = ended if found else None
    ready, _, _ = select.select([connection], [], [], 0)
    return next(iter(read_frames(connection)), None) if ready else None, status


def how_it_ended(status: int, seconds: float, timeout: float) -> str:
    """Say how a process ended that has not answered."""
    code = os.waitstatus_to_exitcode(status)
    if code == 1 and seconds >= timeout:
        return f"The process did not end within {timeout:g} s."
    if code >= 0:
        return f"The process was ended from within, with exit code {code}."
    hint = " Was there enough memory?" if -code == signal.SIGKILL else ""
    return f"The process was killed by signal {-code} ({signal.Signals(-code).name}).{hint}"


def write_frame(connection: socket.socket, value: Any) -> None:
    """Write a value with its length before it."""
    data = pickle.dumps(value, protocol=5)
    connection.sendall(struct.pack("Q", len(data)) + data)


def read_frames(connection: socket.socket) -> Any:
    """Yield the values that are written, until the other end is closed."""
    with connection.makefile("rb") as stream:
        while len(head := stream.read(8)) == 8:
            (size,) = struct.unpack("Q", head)
            if len(data := stream.read(size)) < size:
                return
            yield pickle.loads(data)
