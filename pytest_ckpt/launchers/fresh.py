"""``call_in_fresh_processes()``: functions of this package, called in processes that have never seen the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_ckpt.launchers.guest import Answer, is_fresh
from pytest_ckpt.launchers.request import Reply, Request, Surroundings, Task
from pytest_ckpt.launchers.server import Lost, Server, another_hash_seed
from pytest_ckpt.launchers.settings import get_settings
from pytest_ckpt.launchers.spawn import ask_new_interpreters
from pytest_ckpt.launchers.travel import Package
from pytest_ckpt.launchers.wire import decode

__all__ = [
    "Replies",
    "Reply",
    "Surroundings",
    "Task",
    "call_in_fresh_processes",
    "can_fork",
    "is_fresh",
    "surroundings",
    "warm_up",
]

_PRINTED_LINES = 12
_NOT_THERE = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION")  # A program that is started by hand does not have them.
_server: Server | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Replies:
    """What became of the tasks of one call.

    Attributes:
        items: One for each task.
        printed: What the processes wrote to stdout and stderr, the last lines of it.
        slow: Whether each needed a new interpreter.
    """

    items: tuple[Reply, ...]
    printed: tuple[str, ...] = ()
    slow: bool = False


def can_fork() -> bool:
    """Whether a process may be forked after torch was used; macOS allows it and its libraries do not bear it."""
    return sys.platform.startswith("linux") and hasattr(os, "fork")


def warm_up(modules: Sequence[str]) -> None:
    """Start the server in the background, where there is one, so that it is warm when it is asked.

    Args:
        modules: What it loads beside torch.
    """
    global _server
    if not can_fork() or is_fresh() or (_server is not None and _server.alive):
        return
    _server = Server(modules)


def surroundings() -> Surroundings:
    """Return what a new process finds that is started here and now."""
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_THERE}
    return Surroundings(environment=environment, folder=os.getcwd(), settings=get_settings())


def call_in_fresh_processes(
    package: Package,
    tasks: Sequence[Task],
    *,
    around: Surroundings,
    modules: Sequence[str],
    timeout: float,
    hash_seed: str = "",
) -> Replies:
    """Call each task's function with what was packed, each in a new process with another hash seed.

    Args:
        package: What they are called with first.
        tasks: What to call.
        around: The environment, working directory and settings.
        modules: What the server loads, if it is not there yet.
        timeout: Seconds for each task. A process that takes longer is killed, and says where it was.
        hash_seed: The ``PYTHONHASHSEED`` of new interpreters, each of which takes as long as importing torch;
            default: one that this process does not have.
    """
    request = Request(package=package, surroundings=around, tasks=tuple(tasks), timeout=timeout)
    slow = not can_fork() or bool(hash_seed)
    if slow:
        answers, printed = ask_new_interpreters(request, hash_seed or another_hash_seed())
    else:
        answers, printed = _ask_server(request, modules)
    if len(answers) == 1 and answers[0][0] == "lost":
        answers *= len(request.tasks)
    nothing: Answer = ("raised", ("The process ended before it had answered.", ()))
    answers += [nothing] * (len(request.tasks) - len(answers))
    lines = tuple(line for line in printed.splitlines() if line.strip())[-_PRINTED_LINES:]
    return Replies(items=tuple(_reply(answer) for answer in answers), printed=lines, slow=slow)


def _ask_server(request: Request, modules: Sequence[str]) -> tuple[list[Answer], str]:
    for attempt in (1, 2):
        warm_up(modules)
        assert _server is not None
        try:
            return _server.ask(request)
        except Lost as lost:  # Somebody may have killed it, between two requests or in one.
            _server.close()
            if attempt == 2:
                return [("lost", (f"No new process could be started: {lost}", ()))], ""
    raise AssertionError


def _reply(answer: Answer) -> Reply:
    kind, content = answer
    if kind == "value":
        return Reply(value=decode(content))
    text, details = content
    return Reply(problem=text, travelled=kind != "lost", details=details)
