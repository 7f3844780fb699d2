"""What a codec is: reading and writing one format of file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Codec"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Codec:
    """One format that a file can be read and written in.

    Attributes:
        name: What to call it.
        read: ``read(path)`` returns the content, tensors on the CPU.
        write: ``write(content, path)``.
        read_safely: Reads without running code that the file brings along; ``None`` where that is impossible.
    """

    name: str
    read: Callable[[Path], Any]
    write: Callable[[Any, Path], object]
    read_safely: Callable[[Path], Any] | None = None
