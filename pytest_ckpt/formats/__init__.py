"""How checkpoint state is put on disk: one entry per format. Imports torch only when one is asked for.

The pickle family, ``torch-full``, every ``whole`` format and ``dcp`` run code when they load. That is as
safe as the test that wrote the file; none of them is meant for files from elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_ckpt.formats.registry import (
    BUILTIN_FORMATS,
    Entry,
    format_names,
    get_format,
    register_formats,
)

if TYPE_CHECKING:
    from pytest_ckpt.formats.protocol import Format, Keeps

__all__ = [
    "BUILTIN_FORMATS",
    "Entry",
    "Format",
    "Keeps",
    "format_names",
    "get_format",
    "register_formats",
]


def __getattr__(name: str) -> Any:
    # pytest asks for the names of formats at every start, and for what a format is only where somebody adds one.
    if name in ("Format", "Keeps"):
        from pytest_ckpt.formats import protocol

        return getattr(protocol, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
