"""How checkpoint state is put on disk: one entry per format. Imports torch only when one is asked for.

The pickle family, ``torch-full``, every ``whole`` format and ``dcp`` run code when they load. That is as
safe as the test that wrote the file; none of them is meant for files from elsewhere.
"""

from __future__ import annotations

from pytest_ckpt.formats.protocol import Format, Keeps
from pytest_ckpt.formats.registry import (
    BUILTIN_FORMATS,
    Entry,
    format_names,
    get_format,
    register_formats,
)

__all__ = [
    "BUILTIN_FORMATS",
    "Entry",
    "Format",
    "Keeps",
    "format_names",
    "get_format",
    "register_formats",
]
