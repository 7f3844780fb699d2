"""What became of faults that were put into a run, as data: strings only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Injection", "SelfTest"]

InjectionStatus: TypeAlias = Literal["seen", "unseen", "not applicable", "not judged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Injection:
    """What became of one fault that was put into a run.

    Attributes:
        fault: The fault's name.
        status: ``not applicable``: it would change nothing in this run. ``not judged``: the checks that look for it
            do not pass without it either, or were not selected.
        seen_by: The checks that pass without it and fail because of it.
        reason: Why it was not seen; empty if it was.
    """

    fault: str
    status: InjectionStatus
    seen_by: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SelfTest:
    """What became of all the faults that were put into a run.

    Attributes:
        items: One injection per fault.
        name: The run's name.
    """

    items: tuple[Injection, ...]
    name: str = ""

    def __iter__(self) -> Iterator[Injection]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, fault: str) -> Injection:
        for injection in self.items:
            if injection.fault == fault:
                return injection
        raise KeyError(f"no fault {fault!r} was tried; there are {', '.join(item.fault for item in self.items)}")

    @property
    def unseen(self) -> tuple[Injection, ...]:
        """The faults that no check saw although they apply."""
        return tuple(injection for injection in self.items if injection.status == "unseen")

    @property
    def failed(self) -> bool:
        """Whether a fault was unseen, or nothing was seen although there was something to see."""
        found = {injection.status for injection in self.items}
        return "unseen" in found or ("seen" not in found and "not judged" in found)
