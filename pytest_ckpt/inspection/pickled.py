"""Plain pickles, and torch.save's legacy format: several pickles, then the bytes of the storages."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from pytest_ckpt.inspection.archives import storage_stand_in
from pytest_ckpt.inspection.contents import Contents, Region, StorageInfo, StorageView, Symbol, UnreadableFile, name_of
from pytest_ckpt.inspection.nesting import symbols_following, symbols_inside
from pytest_ckpt.inspection.rebuilding import rebuild
from pytest_ckpt.inspection.rebuilt_tensors import ITEM_SIZES
from pytest_ckpt.inspection.unpickling import PickleReader

__all__ = ["LEGACY_MAGIC", "read_legacy", "read_pickle"]

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # torch.serialization.MAGIC_NUMBER
_PROTOCOL_VERSION = 1001
_LEVELS = 3
_COUNT = 8  # bytes before the bytes of each storage, which say how many elements there are


def read_legacy(path: Path) -> Contents:
    """Read what ``torch.save(..., _use_new_zipfile_serialization=False)`` or torch before 1.6 wrote.

    Raises:
        UnreadableFile: If it is damaged before the bytes of its tensors.
    """
    with path.open("rb") as file:
        return _read_legacy(file, path, depth=0)


def read_pickle(path: Path) -> Contents:
    """Read a plain pickle, also one by dill or cloudpickle.

    Raises:
        UnreadableFile: If it is none, or damaged.
    """
    with path.open("rb") as file:
        reader = _reader(depth=0)
        root = reader.read(file)
        end = file.tell()
        inside = symbols_following(file)
    for text in reader.bytes_inside:
        inside += symbols_inside(text)
    rest = path.stat().st_size - end
    problems = [f"{rest:,} bytes follow the pickle; one pickle.load does not read them."] if rest else []
    return Contents(
        path=path,
        format="pickle",
        root=root,
        symbols=dict(reader.symbols),
        problems=(*problems, *reader.problems),
        facts={"pickle protocol": reader.protocol_words},
        inside=dict(inside),
    )


def _reader(*, depth: int, persistent: Any = None) -> PickleReader:
    """Return a reader that also looks into the storages which plain pickles hold as bytes of the legacy format."""

    def make(symbol: Symbol, args: tuple[Any, ...]) -> Any:
        if str(symbol) == "torch.storage._load_from_bytes":
            (data,) = args
            if depth == _LEVELS:
                raise ValueError("pickles stand in each other, level after level")
            if not isinstance(data, bytes):
                raise TypeError("it is given no bytes")
            inner = _read_legacy(io.BytesIO(data), None, depth=depth + 1)
            for name, count in inner.symbols.items():
                reader.symbols[name] += count
            reader.problems.update(dict.fromkeys(inner.problems))
            return inner.root
        return rebuild(symbol, args)

    reader = PickleReader(rebuild=make, **({} if persistent is None else {"persistent": persistent}))
    return reader


def _read_legacy(file: IO[bytes], path: Path | None, *, depth: int) -> Contents:
    found: dict[str, StorageInfo] = {}
    problems: list[str] = []

    def persistent(identity: Any) -> Any:
        if isinstance(identity, tuple) and identity[:1] == ("module",):
            return identity[1]  # a class, with its source code beside it
        stand_in = storage_stand_in(identity, lambda key, size: None)  # The bytes stand behind the last pickle.
        if isinstance(stand_in, StorageView):
            return StorageView(found.setdefault(stand_in.storage.key, stand_in.storage), stand_in.offset)
        return found.setdefault(stand_in.key, stand_in) if isinstance(stand_in, StorageInfo) else stand_in

    reader = _reader(depth=depth, persistent=persistent)
    magic, version, system = (reader.read(file) for _ in range(3))
    if magic != LEGACY_MAGIC or version != _PROTOCOL_VERSION:
        raise UnreadableFile(f"The legacy format's version is {name_of(version)}, not {_PROTOCOL_VERSION}.")
    root, keys = reader.read(file), reader.read(file)
    if not isinstance(keys, list) or not all(isinstance(key, str | int) for key in keys):
        raise UnreadableFile("The list of storages behind the legacy pickle is damaged.", symbols=reader.symbols)
    _find_bytes(file, path, [found[str(key)] for key in keys if str(key) in found], problems)
    inside = Counter[str]()
    for text in reader.bytes_inside:
        inside += symbols_inside(text)
    facts = {"pickle protocol": reader.protocol_words}
    if isinstance(system, Mapping):
        facts["byte order"] = "little" if system.get("little_endian") else "big"
    return Contents(
        path=path or Path(),
        format="torch.save (legacy)",
        root=root,
        symbols=dict(reader.symbols),
        problems=(*problems, *reader.problems),
        facts=facts,
        inside=dict(inside),
    )


def _find_bytes(file: IO[bytes], path: Path | None, storages: list[StorageInfo], problems: list[str]) -> None:
    """Note in each storage where its bytes are; without a path, the bytes themselves."""
    offset = file.tell()
    end = file.seek(0, io.SEEK_END)
    for storage in storages:
        length = storage.numel * ITEM_SIZES[storage.dtype]
        file.seek(offset)
        count = int.from_bytes(file.read(_COUNT), "little")
        offset += _COUNT
        if offset + length > end:
            problems.append(f"The file ends before the bytes of storage {storage.key}: it is cut off.")
            return
        if count not in (storage.numel, length):
            problems.append(f"Storage {storage.key} has {count:,} elements where {storage.numel:,} are announced.")
            return
        storage.data = file.read(length) if path is None else Region(path=path, offset=offset, length=length)
        offset += length
    if offset < end and path is not None:
        problems.append(f"{end - offset:,} bytes follow the last storage; torch.load does not read them.")
