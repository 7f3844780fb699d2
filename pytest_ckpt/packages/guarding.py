"""Bounds for calling code that nobody wrote this call for: time, size, and no network."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["ELEMENT_LIMIT", "Refused", "guarded", "in_a_line"]

ELEMENT_LIMIT = 50_000_000
"""How many elements the tensors may have that a constructor makes."""


class Refused(BaseException):
    """What was called does not keep to the bounds. No ``Exception``, so that the code called does not catch it."""


@contextmanager
def guarded(seconds: float, *, small: bool = False) -> Iterator[None]:
    """Run the body for at most so many seconds, without a network.

    The time is bounded in the main thread of a system with alarms. An alarm that was set before, such as that of
    pytest-timeout, goes on.

    Args:
        seconds: How long the body may take.
        small: Whether to refuse tensors that have more than :data:`ELEMENT_LIMIT` elements in all.

    Raises:
        Refused: If the body does not keep to it.
    """
    with ExitStack() as stack:
        stack.enter_context(_deadline(seconds))
        stack.enter_context(_without_network())
        if small:
            stack.enter_context(_SmallOnly())
        yield


def in_a_line(error: BaseException) -> str:
    """Spell an error in one short line."""
    text = " ".join(str(error).split())
    kind = "" if isinstance(error, Refused) else type(error).__name__
    words = ": ".join(part for part in (kind, text) if part)
    return words if len(words) <= 160 else f"{words[:157]}..."


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise Refused(f"it took longer than {seconds:g} s")

    began, before = time.monotonic(), signal.signal(signal.SIGALRM, stop)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 0.001), interval)


@contextmanager
def _without_network() -> Iterator[None]:
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            refuse()
        connect(self, address)

    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionRefusedError("it asks for the network")

    with mock.patch.object(socket.socket, "connect", local_only), mock.patch.object(socket, "getaddrinfo", refuse):
        yield


class _SmallOnly(TorchFunctionMode):
    """Counts the elements of what is made from nothing but sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and not any(isinstance(item, torch.Tensor) for item in args):
            self.made += result.numel()
            if self.made > ELEMENT_LIMIT:
                raise Refused(f"it makes tensors of more than {ELEMENT_LIMIT:,} elements")
        return result
