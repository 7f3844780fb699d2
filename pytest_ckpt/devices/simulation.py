"""Entering and leaving a simulated machine: everything that is replaced is put back."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

from pytest_ckpt.devices.accelerator_patches import accelerator_patches
from pytest_ckpt.devices.machine import Machine, enter, leave
from pytest_ckpt.devices.patching import Patch, install, remove
from pytest_ckpt.devices.private import device_constructors, dynamo_config
from pytest_ckpt.devices.tensor_patches import tensor_patches
from pytest_ckpt.devices.torch_patches import fill_tables, modes, torch_patches

__all__ = ["simulated"]

_LOCK = threading.Lock()
# What was there before, one entry per simulation, of all threads: what is replaced is replaced for all of them.
_REPLACED: list[list[tuple[Any, str, Any]]] = []


@cache
def _patches() -> list[Patch]:
    """Return all that is replaced inside a world, found once."""
    # Both keep tables of torch's functions, so they must see the real ones.
    importlib.import_module("torch._dynamo")
    device_constructors()
    patches = [*tensor_patches(), *torch_patches(), *accelerator_patches()]
    fill_tables(patches)
    return patches


@contextmanager
def simulated(counts: dict[str, int]) -> Iterator[Machine]:
    """Simulate a machine with so many devices of each kind; inside another one, it takes its place.

    One thing cannot be put back: C++ asks each kind of device to initialise itself once per process. Afterwards
    ``torch.ones(1, device="cuda")`` on a machine without it raises another error than before.
    """
    machine = Machine(counts=counts)
    with ExitStack() as stack:
        stack.enter_context(_replaced())
        stack.enter_context(dynamo_config().patch(disable=True))  # what is compiled would not be seen
        stack.enter_context(modes())
        enter(machine)
        stack.callback(leave, machine)
        yield machine


@contextmanager
def _replaced() -> Iterator[None]:
    with _LOCK:
        _REPLACED.append([] if _REPLACED else install(_patches()))
    try:
        yield
    finally:
        with _LOCK:
            done = _REPLACED.pop()
            if _REPLACED:
                _REPLACED[0] = _REPLACED[0] or done
            else:
                remove(done)
