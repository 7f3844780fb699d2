"""torch.save's zip archives, read without torch: ``data.pkl`` and one entry for each storage."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pytest_ckpt.inspection.contents import Call, Contents, Region, StorageInfo, Symbol, UnreadableFile
from pytest_ckpt.inspection.rebuilding import ITEM_SIZES, dtype_of_storage, rebuild
from pytest_ckpt.inspection.unpickling import PickleReader

__all__ = ["read_archive", "storage_stand_in"]

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_PICKLE_LIMIT = 1 << 30  # bytes; torch does not compress, so the pickle is never larger than the file


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
        except (zipfile.BadZipFile, NotImplementedError, EOFError, struct.error, OSError, ValueError) as error:
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
        prefix = self._prefix()
        if f"{prefix}constants.pkl" in self._entries:
            raise UnreadableFile("A TorchScript archive (torch.jit.save): a program, not a checkpoint.")
        self._problems += _duplicates(self._archive)
        reader = PickleReader(rebuild=rebuild, persistent=lambda identity: self._storage(prefix, identity))
        info = self._entries[f"{prefix}data.pkl"]
        if info.file_size > _PICKLE_LIMIT:
            raise UnreadableFile(f"data.pkl claims {info.file_size:,} bytes.")
        with self._archive.open(info) as pickle:
            root = reader.read(pickle)
        facts = {"pickle protocol": reader.protocol_words}
        if f"{prefix}byteorder" in self._entries:
            facts["byte order"] = self._archive.read(f"{prefix}byteorder")[:16].decode("ascii", "replace")
        return Contents(
            path=self._path,
            format="torch.save (zip)",
            root=root,
            symbols=dict(reader.symbols),
            problems=tuple(dict.fromkeys(self._problems)),
            facts=facts,
        )

    def _prefix(self) -> str:
        found = [name for name in self._entries if name == "data.pkl" or name.endswith("/data.pkl")]
        if not found:
            names = ", ".join(list(self._entries)[:3]) or "nothing"
            raise UnreadableFile(f"A zip archive, but not one of torch.save: it has no data.pkl, but {names}.")
        return min(found, key=len).removesuffix("data.pkl")

    def _storage(self, prefix: str, identity: Any) -> Any:
        stand_in = storage_stand_in(identity, lambda key, size: self._bytes_of(f"{prefix}data/{key}", key, size))
        return self._storages.setdefault(stand_in.key, stand_in) if isinstance(stand_in, StorageInfo) else stand_in

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
        magic, name_length, extra_length = _LOCAL_HEADER.unpack(self._window.read(_LOCAL_HEADER.size))
        offset = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
        if magic != b"PK\x03\x04" or offset + info.file_size > self._window.length:
            self._problems.append(f"{name} does not stand where the archive's directory says.")
            return None
        return Region(path=self._path, offset=self._start + offset, length=info.file_size)


def storage_stand_in(identity: Any, find: Any) -> Any:
    """Return the stand-in of a storage from its persistent id; a :class:`Call` for an id of another kind.

    Args:
        identity: ``("storage", class, key, location, numel)``, as torch.save writes it.
        find: ``find(key, bytes)`` returns where its bytes are.
    """
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        return Call(Symbol("pickle", "persistent_load"), (identity,))
    _, kind, key, location, numel = identity[:5]
    dtype = dtype_of_storage(kind)
    if not isinstance(numel, int) or numel < 0:
        raise ValueError(f"the storage {key} has {numel!r} elements")
    data = find(str(key), numel * ITEM_SIZES[dtype])
    return StorageInfo(key=str(key), dtype=dtype, numel=numel, location=str(location), data=data)


def _duplicates(archive: zipfile.ZipFile) -> Iterator[str]:
    seen: set[str] = set()
    for info in archive.infolist():
        if info.filename in seen:
            yield f"{info.filename} is in the archive twice; readers differ in which one they take."
        seen.add(info.filename)
