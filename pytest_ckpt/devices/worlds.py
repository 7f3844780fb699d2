"""``world()``: a machine with the device that a program asks for, real or simulated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from pytest_ckpt.devices.location_tags import written_on
from pytest_ckpt.devices.machine import KINDS
from pytest_ckpt.devices.self_test import why_unsupported
from pytest_ckpt.devices.simulation import simulated
from pytest_ckpt.errors import UsageError

__all__ = ["World", "device_id", "is_simulated", "world"]


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class World:
    """A machine that a program runs on.

    Attributes:
        device: The device asked for, such as ``"cuda:1"``.
        count: How many devices of its kind there are; 0 for the CPU alone.
        kind: ``real``; ``simulated``: CPU memory that says it is elsewhere; ``tags``: this torch does not allow
            that, so only the locations that ``torch.save`` writes are those of the device; ``cpu``: no accelerator.
        reason: Why devices are not simulated, where ``kind`` is ``tags``.
    """

    device: str
    count: int
    kind: Literal["real", "simulated", "tags", "cpu"]
    reason: str = ""

    def __repr__(self) -> str:
        return f"<World: {self.name}>"

    @property
    def name(self) -> str:
        """What reports call it."""
        if self.kind == "simulated":
            return f"simulated {self.device} (of {self.count})" if self.count > 1 else f"simulated {self.device}"
        if self.kind == "tags":
            return f"cpu, saved with the location tags of {self.device} (not simulated: {self.reason})"
        return self.device

    @property
    def runs_on(self) -> str:
        """The device to make a program on: the one asked for, or the CPU where it cannot be simulated."""
        return "cpu" if self.kind == "tags" else self.device


@contextmanager
def world(device: str | torch.device = "cuda:0", *, count: int | None = None) -> Iterator[World]:
    """Be on a machine that has a device: the real one where there is one, else a simulated one.

    On a simulated device tensors are ordinary CPU tensors whose storages carry its name. ``tensor.device``,
    ``torch.cuda``, ``torch.accelerator``, ``Module.to``, the locations that ``torch.save`` writes and the checks and
    ``map_location`` of ``torch.load`` then behave as on such a device, by torch's own code; an operator on tensors
    of two devices raises torch's error; each device has its own random state. A simulated device says nothing of
    a real one's numerics, memory or speed: autocast does nothing, nothing is compiled, kernels and their
    limits (``DataParallel``, streams, graphs, pinned memory) are the CPU's. Threads started inside are inside too.

    Worlds nest; the innermost is the machine. ``world("cpu")`` is one without accelerators. A tensor made inside
    is CPU memory with its numbers outside too; entered again, a world still knows where it was.

    Args:
        device: A device of the kinds cuda, mps and xpu, or ``"cpu"``.
        count: Devices of that kind; default: as many as the index needs, and at least two where there can be two.

    Raises:
        UsageError: If there can be no such world.
    """
    try:
        asked = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"world({device!r}): {error}") from None
    wanted = _count(asked, count)
    if asked.type == "cpu":
        # Only where there are accelerators, real or of an outer world, is there anything to hide.
        with nullcontext() if why_unsupported() else simulated({}):
            yield World(device="cpu", count=0, kind="cpu")
    elif _is_real(asked, wanted if count is not None else (asked.index or 0) + 1):
        yield World(device=str(asked), count=torch.get_device_module(asked).device_count(), kind="real")
    elif reason := why_unsupported():
        with written_on(str(asked)):
            yield World(device=str(asked), count=wanted, kind="tags", reason=reason)
    else:
        with simulated({asked.type: wanted}):
            yield World(device=str(asked), count=wanted, kind="simulated")


def is_simulated(device: str) -> bool:
    """Whether :func:`world` would simulate a device; ``False`` for what is no device that there can be."""
    try:
        asked = torch.device(device)
    except RuntimeError:
        return False
    return asked.type in KINDS and not _is_real(asked, (asked.index or 0) + 1)


def device_id(device: str) -> str:
    """Return a device as the id of a test, which says whether :func:`world` would simulate it."""
    return f"simulated-{device}" if is_simulated(device) else device


def _count(device: torch.device, count: int | None) -> int:
    if device.type == "cpu":
        if count:
            raise UsageError(f"world('cpu', count={count}): a machine without accelerators has none of them.")
        return 0
    if device.type not in KINDS:
        raise UsageError(f"There is no world for {str(device)!r}. Known kinds of devices: cpu, {', '.join(KINDS)}.")
    most = 1 if device.type == "mps" else None
    needed = (device.index or 0) + 1
    found = count if count is not None else most or max(2, needed)
    if found < needed or (most and found > most):
        raise UsageError(
            f"world({str(device)!r}) with {found} device{'s' * (found != 1)} has no {device}: "
            + ("there is one mps device." if most else f"give count={needed} or more, or another index.")
        )
    return found


def _is_real(device: torch.device, count: int) -> bool:
    module = torch.get_device_module(device)
    return bool(module.is_available()) and int(module.device_count()) >= count
