"""What a printed program is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_ckpt.strategies.machine.calls import Calls

__all__ = ["Subject"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What a program is about.

    Attributes:
        make_run: Makes the run.
        made: What it made once.
        components: The components of that.
        storage: The name of the way to disk; ``own`` for the run's own ``save`` and ``load``.
        suffix: What the names of its files end with.
        whole: Whether that way writes whole objects.
        calls: How the run's functions are called.
    """

    make_run: Any
    made: Any
    components: dict[str, Any]
    storage: str
    suffix: str
    whole: bool
    calls: Calls
