"""What is asked of a new process and what it answers, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_ckpt.launchers.travel import Package

__all__ = ["Reply", "Request", "Surroundings", "Task"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One call in a process of its own.

    Attributes:
        function: ``package.module:name`` of a function of this package; it is called with what was packed.
        arguments: Its keyword arguments: plain data.
        folder: The working directory; empty for that of the caller.
        hidden: Files that are not there for the task.
    """

    function: str
    arguments: Mapping[str, Any]
    folder: str = ""
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What a program finds in its process at the start.

    Attributes:
        environment: The environment variables.
        folder: The working directory.
        settings: Global settings of torch by name; see ``settings.py``.
    """

    environment: dict[str, str] = field(repr=False)
    folder: str
    settings: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What the parent process sends.

    Attributes:
        package: What the tasks are called with.
        surroundings: The process they find themselves in.
        tasks: What to do, each in a process of its own.
        timeout: Seconds for each task, and for unpacking.
    """

    package: Package
    surroundings: Surroundings
    tasks: tuple[Task, ...]
    timeout: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What became of one task.

    Attributes:
        value: What the function returned.
        problem: Why there is no value, in one sentence; empty if there is one.
        travelled: Whether the function was reached at all.
        details: Where it happened.
    """

    value: Any = None
    problem: str = ""
    travelled: bool = True
    details: tuple[str, ...] = ()
