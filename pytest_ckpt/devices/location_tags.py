"""The locations that a checkpoint names, written and read without any device: torch's public registry is enough.

It works in other threads, under ``torch.compile`` and for every format that pickles storages through torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

__all__ = ["Landing", "Ledger", "reading_anywhere", "written_on"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Landing:
    """One storage of a checkpoint that was read.

    Attributes:
        location: Where it would land, as torch spells it, such as ``"cuda:1"``.
        bytes: Its size.
    """

    location: str
    bytes: int


class Ledger:
    """Which storages would land where, in the order they were read.

    A callable ``map_location`` that returns a storage bypasses torch's registry, and so this.
    """

    def __init__(self) -> None:
        self._landings: list[Landing] = []

    def __repr__(self) -> str:
        held = ", ".join(f"{location}: {count} bytes" for location, count in sorted(self.bytes.items()))
        return f"Ledger({held or 'nothing read'})"

    @property
    def landings(self) -> tuple[Landing, ...]:
        """All storages read so far."""
        return tuple(self._landings)

    @property
    def bytes(self) -> dict[str, int]:
        """Location to the bytes that would land there."""
        found: dict[str, int] = {}
        for landing in self._landings:
            found[landing.location] = found.get(landing.location, 0) + landing.bytes
        return found

    def add(self, landing: Landing) -> None:
        """Take down where a storage would land."""
        self._landings.append(landing)


@contextmanager
def written_on(device: str) -> Iterator[None]:
    """Let ``torch.save`` write every CPU storage as a machine with that device would write it, byte for byte.

    Args:
        device: Such as ``"cuda:1"``, ``"mps"`` or ``"xpu:0"``.
    """
    _register()
    _DEVICES.append(torch.device(device))
    try:
        yield
    finally:
        _DEVICES.pop()


@contextmanager
def reading_anywhere() -> Iterator[Ledger]:
    """Let ``torch.load`` read a checkpoint of any machine onto the CPU, and note where its storages belong."""
    _register()
    _LEDGERS.append(Ledger())
    try:
        yield _LEDGERS[-1]
    finally:
        _LEDGERS.pop()


# Not per thread: programs save in threads of their own.
_DEVICES: list[torch.device] = []
_LEDGERS: list[Ledger] = []


@cache
def _register() -> None:
    # Once and for good, as the registry has no way back; both do nothing outside of the two functions above.
    torch.serialization.register_package(0, _tag, _restore)


def _tag(storage: Any) -> str | None:
    if not _DEVICES or storage.device.type != "cpu":
        return None
    device = _DEVICES[-1]
    if device.type == "mps":
        return "mps"
    # A new string each time, as torch makes them: pickle would write a string it has seen as a reference.
    return device.type + ":" + str(device.index or 0)


def _restore(storage: Any, location: str) -> Any:
    if not _LEDGERS:
        return None
    _LEDGERS[-1].add(Landing(location=location, bytes=storage.nbytes()))
    return storage
