"""Pickles inside of other data: what they name, for those who judge a file. Their contents are not kept."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import Counter
from typing import IO

from pytest_ckpt.inspection.contents import Call, UnreadableFile
from pytest_ckpt.inspection.entries import open_entry
from pytest_ckpt.inspection.unpickling import PickleReader

__all__ = ["symbols_following", "symbols_inside", "symbols_of_entry"]

_LEVELS = 2
_LIMIT = 16 << 20  # bytes of an entry that are looked at
_MOST_PICKLES = 1000
_ENDINGS = (".pkl", ".pickle", ".p")
_ERRORS = (RuntimeError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError)


def symbols_inside(data: bytes, *, levels: int = _LEVELS) -> Counter[str]:
    """Return what pickles in a string of bytes name; nothing if it holds none.

    Args:
        data: What may be a pickle, several in a row, or a zip archive with some in it.
        levels: How deep to look.
    """
    if data.startswith(b"PK\x03\x04"):
        return _of_archive(data, levels)
    return symbols_following(io.BytesIO(data), levels=levels)


def symbols_following(file: IO[bytes], *, levels: int = _LEVELS) -> Counter[str]:
    """Return what the pickles from here on name, up to the first thing that is none."""
    found = Counter[str]()
    for _ in range(_MOST_PICKLES):
        reader = PickleReader(rebuild=Call)
        try:
            reader.read(file)
        except UnreadableFile:
            # Text may begin like a pickle by chance, but then it names nothing that has a name.
            return found + _plausible(reader.symbols)
        found += reader.symbols
        for text in reader.bytes_inside if levels > 1 else ():
            found += symbols_inside(text, levels=levels - 1)
    return found


def symbols_of_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, levels: int = _LEVELS) -> Counter[str]:
    """Return what the pickles in an entry of an archive name, whatever its name is."""
    try:
        with open_entry(archive, info) as entry:
            head = entry.read(4)
            if not info.filename.lower().endswith(_ENDINGS) and not (_is_pickle(head) or head == b"PK\x03\x04"):
                return Counter()
            return symbols_inside(head + entry.read(_LIMIT), levels=levels)
    except _ERRORS:
        return Counter()  # Damage is told elsewhere.


def _of_archive(data: bytes, levels: int) -> Counter[str]:
    found = Counter[str]()
    if levels > 0:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for info in archive.infolist()[:_MOST_PICKLES]:
                    found += symbols_of_entry(archive, info, levels=levels - 1)
        except _ERRORS:
            pass
    return found


def _is_pickle(head: bytes) -> bool:
    return head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and len(head) > 2


def _plausible(symbols: Counter[str]) -> Counter[str]:
    return Counter(
        {name: count for name, count in symbols.items() if name.replace(".", "").replace(":", "").isidentifier()}
    )
