"""torch.save's zip archives, read without torch: ``data.pkl`` and one entry for each storage."""

from __future__ import annotations

import struct
import sys
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import IO, Any

from pytest_ckpt.inspection.contents import (
    Call,
    Contents,
    Region,
    StorageInfo,
    StorageView,
    Symbol,
    UnreadableFile,
    name_of,
)
from pytest_ckpt.inspection.entries import LOCAL_HEADER, entry_problems, open_entry, other_kind
from pytest_ckpt.inspection.nesting import symbols_inside, symbols_of_entry
from pytest_ckpt.inspection.rebuilding import rebuild
from pytest_ckpt.inspection.rebuilt_tensors import ITEM_SIZES, dtype_of_storage
from pytest_ckpt.inspection.unpickling import PickleReader

__all__ = ["read_archive", "storage_stand_in"]

_PICKLE_LIMIT = 1 << 30  # bytes; torch does not compress, so the pickle is never larger than the file
_UNPACKED_LIMIT = 16 << 20  # bytes of a pickle that is compressed nevertheless
_ERRORS = (RuntimeError, zipfile.BadZipFile, zlib.error, EOFError, struct.error, OSError, ValueError)


def read_archive(path: Path, *, start: int = 0, length: int | None = None) -> Contents:
    """Read a zip archive of torch.

    Args:
        path: The file.
        start: Where the archive begins in it, in bytes.
        length: How many bytes it has; default: up to the end of the file.

    Raises:
        UnreadableFile: If it is none, or is damaged where its directory or its pickle stands.
    """
    with path.open("rb") as file:
        window = _Window(file, start, path.stat().st_size - start if length is None else length)
        try:
            with zipfile.ZipFile(window) as archive:
                return _Archive(path, start, archive, window).read()
        except _ERRORS as error:
            raise UnreadableFile(
                f"The zip archive is damaged or cut off ({str(error) or type(error).__name__}): torch.load cannot "
                "read it either. Take another copy, or an older checkpoint."
            ) from error


class _Window:
    """A part of a file, as a file of its own; a zip archive may stand inside another file."""

    def __init__(self, file: IO[bytes], start: int, length: int) -> None:
        self._file, self._start, self.length, self._position = file, start, length, 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._position, self.length)[whence]
        if base + offset < 0:
            raise OSError("a place before the beginning of the file is asked for")
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        left = max(self.length - self._position, 0)
        self._file.seek(self._start + self._position)
        data = self._file.read(left if size < 0 else min(size, left))
        self._position += len(data)
        return data


class _Archive:
    """One archive that is being read."""

    def __init__(self, path: Path, start: int, archive: zipfile.ZipFile, window: _Window) -> None:
        self._path, self._start, self._archive, self._window = path, start, archive, window
        self._entries = {info.filename: info for info in archive.infolist()}
        self._problems: list[str] = []
        self._storages: dict[str, StorageInfo] = {}

    def read(self) -> Contents:
        inside = Counter[str]()
        prefix = self._prefix(inside)
        self._problems += entry_problems(self._archive)
        self._swapped = self._byte_order(prefix) not in ("", sys.byteorder)
        reader = PickleReader(rebuild=rebuild, persistent=lambda identity: self._storage(prefix, identity))
        root = self._read(reader, f"{prefix}data.pkl")
        for text in reader.bytes_inside:
            inside += symbols_inside(text)
        inside += self._symbols_elsewhere({f"{prefix}data.pkl", *(f"{prefix}data/{key}" for key in self._storages)})
        order = self._byte_order(prefix)
        return Contents(
            path=self._path,
            format="torch.save (zip)",
            root=root,
            symbols=dict(reader.symbols),
            problems=tuple(dict.fromkeys([*self._problems, *reader.problems])),
            facts={"pickle protocol": reader.protocol_words, **({"byte order": order} if order else {})},
            inside=dict(inside),
        )

    def _read(self, reader: PickleReader, name: str) -> Any:
        info = self._entries[name]
        packed = info.compress_type != zipfile.ZIP_STORED
        if packed:
            self._problems.append(f"{name} is compressed, which torch.save does not do.")
        if info.file_size > (_UNPACKED_LIMIT if packed else _PICKLE_LIMIT):
            raise UnreadableFile(f"{name} claims {info.file_size:,} bytes, which is no size for it.")
        with open_entry(self._archive, info) as pickle:
            root = reader.read(pickle)
            if pickle.read(1):
                self._problems.append(f"In {name} something follows the pickle; torch.load does not read it.")
            return root

    def _symbols_elsewhere(self, known: set[str]) -> Counter[str]:
        found = Counter[str]()
        for info in self._archive.infolist():
            # Of two entries of one name the last one is read here, and who knows which one elsewhere.
            if info.filename not in known or info is not self._entries[info.filename]:
                found += symbols_of_entry(self._archive, info)
        return found

    def _byte_order(self, prefix: str) -> str:
        info = self._entries.get(f"{prefix}byteorder")
        if info is None:
            return ""
        with open_entry(self._archive, info) as entry:
            return entry.read(16).decode("ascii", "replace")

    def _prefix(self, inside: Counter[str]) -> str:
        names = list(self._entries)
        found = [name for name in names if name == "data.pkl" or name.endswith("/data.pkl")]
        own = f"{names[0].partition('/')[0]}/data.pkl" if names else ""  # torch takes the name of the first entry
        prefix = (own if own in found else min(found, key=len)).removesuffix("data.pkl") if found else ""
        words = other_kind(names, prefix)
        if words or not found:
            words = words or f"A zip archive, but not one of torch.save: it holds {', '.join(names[:3]) or 'nothing'}"
            raise UnreadableFile(f"{words}.", symbols=self._symbols_elsewhere(set()))
        return prefix

    def _storage(self, prefix: str, identity: Any) -> Any:
        stand_in = storage_stand_in(identity, lambda key, size: self._bytes_of(f"{prefix}data/{key}", key, size))
        if not isinstance(stand_in, StorageInfo):
            return stand_in
        stand_in.swapped = self._swapped
        return self._storages.setdefault(stand_in.key, stand_in)

    def _bytes_of(self, name: str, key: str, size: int) -> Region | None:
        info = self._entries.get(name)
        if info is None:
            self._problems.append(f"The storage {key} is named in data.pkl, but {name} is not in the archive.")
            return None
        if info.compress_type != zipfile.ZIP_STORED:
            self._problems.append(f"{name} is compressed, which torch.save does not do.")
            return None
        if info.file_size < size:
            self._problems.append(f"{name} has {info.file_size:,} bytes; its tensors need {size:,}.")
        self._window.seek(info.header_offset)
        magic, name_length, extra_length = LOCAL_HEADER.unpack(self._window.read(LOCAL_HEADER.size))
        offset = info.header_offset + LOCAL_HEADER.size + name_length + extra_length
        if magic != b"PK\x03\x04" or offset + info.file_size > self._window.length:
            self._problems.append(f"{name} does not stand where the archive's directory says.")
            return None
        return Region(path=self._path, offset=self._start + offset, length=info.file_size)


def storage_stand_in(identity: Any, find: Any) -> Any:
    """Return the stand-in of a storage from its persistent id; a :class:`Call` for an id of another kind.

    Args:
        identity: ``("storage", class, key, location, numel)``, as torch.save writes it; files of torch before 0.4 have
            a sixth item, ``None`` or ``(key, offset, numel)`` of a view.
        find: ``find(key, bytes)`` returns where its bytes are.
    """
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        return Call(Symbol("pickle", "persistent_load"), (identity,))
    _, kind, key, location, numel, *more = identity
    dtype = dtype_of_storage(kind)
    if type(numel) is not int or not 0 <= numel < 1 << 60:
        raise ValueError("a storage has a number of elements that is none")
    key, location = name_of(key), name_of(location)
    data = find(key, numel * ITEM_SIZES[dtype])
    made = StorageInfo(key=key, dtype=dtype, numel=numel, location=location, data=data)
    if more and isinstance(more[0], tuple) and len(more[0]) == 3 and type(more[0][1]) is int:
        return StorageView(made, more[0][1])
    return made
