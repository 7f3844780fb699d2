"""What a zip archive is, by the names of its entries, and what is wrong with how they stand in it."""

from __future__ import annotations

import copy
import struct
import zipfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import IO

__all__ = ["LOCAL_HEADER", "entry_problems", "open_entry", "other_kind"]

LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Magic, 22 bytes that do not matter here, length of the name and of the extra field."""

_ENCRYPTED = 1
_LAST_RECORD = 22  # bytes, without its comment
_LONGEST_COMMENT = 0xFFFF
_UTF_8 = 0x800


def open_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """Open an entry as torch does: a wrong checksum, a mark or another name before its bytes keeps it from nothing."""
    lenient = copy.copy(info)
    lenient.CRC = None  # type: ignore[assignment] # it is compared with nothing then
    lenient.flag_bits &= ~_ENCRYPTED
    if archive.fp is not None:
        archive.fp.seek(info.header_offset)
        header = archive.fp.read(LOCAL_HEADER.size)
        if len(header) == LOCAL_HEADER.size:
            name = archive.fp.read(LOCAL_HEADER.unpack(header)[1])
            lenient.orig_filename = name.decode("utf-8" if info.flag_bits & _UTF_8 else "cp437", "replace")
    return archive.open(lenient)


def other_kind(names: Sequence[str], prefix: str) -> str:
    """Say what an archive is that is no checkpoint of torch.save; nothing if it may be one."""
    there = set(names)
    if f"{prefix}constants.pkl" in there and prefix + "data.pkl" in there:
        return "A TorchScript archive (torch.jit.save): a program, not a checkpoint. torch.jit.load reads it"
    if any(".data/extern_modules" in name or name.endswith(".data/python_version") for name in names):
        return "An archive of torch.package: a program with its modules. torch.package.PackageImporter reads it"
    if any(name.endswith(("serialized_exported_program.json", "models/model.json")) for name in names) or any(
        name.endswith("archive_format") for name in names
    ):
        return "An archive of torch.export: a program, not a checkpoint. torch.export.load reads it"
    if names and all(name.endswith(".npy") for name in names):
        return "A numpy archive (.npz): numpy.load reads it"
    if "model.weights.h5" in there or ("config.json" in there and any(name.endswith(".h5") for name in names)):
        return "A model of Keras (.keras)"
    return ""


def entry_problems(archive: zipfile.ZipFile) -> Iterator[str]:
    """Yield what torch.save would never write: names that occur twice, entries over each other, bytes around them."""
    seen: set[str] = set()
    entries = sorted(archive.infolist(), key=lambda info: info.header_offset)
    for info in entries:
        if info.filename in seen:
            yield f"{info.filename} is in the archive twice; readers differ in which one they take."
        seen.add(info.filename)
        if info.flag_bits & _ENCRYPTED:
            yield f"{info.filename} is encrypted, which torch.save does not do."
    for one, other in pairwise(entries):
        if one.header_offset + one.compress_size > other.header_offset:
            yield f"{one.filename} and {other.filename} share bytes of the archive."
    if entries and entries[0].header_offset > 0:
        yield f"{entries[0].header_offset:,} bytes stand before the archive."
    if behind := _bytes_behind(archive):
        yield f"{behind:,} bytes follow the archive; torch.load does not read them."


def _bytes_behind(archive: zipfile.ZipFile) -> int:
    """Return how many bytes there are after the last record, its comment included; zipfile does not mind them."""
    assert archive.fp is not None
    end = archive.fp.seek(0, 2)
    archive.fp.seek(max(0, end - _LAST_RECORD - _LONGEST_COMMENT))
    tail = archive.fp.read(_LAST_RECORD + _LONGEST_COMMENT)
    return len(tail) - tail.rfind(b"PK\x05\x06") - _LAST_RECORD
