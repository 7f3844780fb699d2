"""Whether a file still has the bytes it was written with, as far as its format can tell."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from pytest_ckpt.inspection.contents import Contents, TensorInfo, UnreadableFile
from pytest_ckpt.inspection.values import open_values
from pytest_ckpt.inspection.walking import walk
from pytest_ckpt.paths import spell

__all__ = ["damages", "has_checksums"]

_UNPACKED_LIMIT = 1 << 28  # bytes; torch.save does not compress at all


def has_checksums(contents: Contents) -> bool:
    """Whether the format keeps checksums, so that a flipped bit can be seen."""
    return contents.format == "torch.save (zip)"


def damages(contents: Contents) -> Iterator[str]:
    """Yield what is wrong with a checkpoint, one sentence each; reads the whole file."""
    yield from contents.problems
    if has_checksums(contents):
        yield from _wrong_checksums(contents.path)
    with open_values() as values:
        for keys, value in walk(contents.root):
            if isinstance(value, TensorInfo) and value.storages:
                try:
                    for _ in values.chunks(value):
                        break
                except (UnreadableFile, OSError, ValueError) as error:
                    yield f"{spell(keys)}: {error}"


def _wrong_checksums(path: Path) -> Iterator[str]:
    unpacked = 0
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            try:
                with archive.open(info) as entry:
                    while piece := entry.read(1 << 20):
                        unpacked += len(piece) if info.compress_type != zipfile.ZIP_STORED else 0
                        if unpacked > _UNPACKED_LIMIT:
                            yield f"{info.filename} and others unpack to more than {_UNPACKED_LIMIT:,} bytes."
                            return
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
                yield f"{info.filename} is damaged: {str(error).rstrip('.') or 'it ends too early'}."
