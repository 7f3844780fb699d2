"""Whether a file still has the bytes it was written with, as far as its format can tell."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from pytest_ckpt.inspection.contents import Contents, TensorInfo, UnreadableFile, walk
from pytest_ckpt.inspection.values import is_contiguous, open_values

__all__ = ["damages", "has_checksums"]


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
            if isinstance(value, TensorInfo) and value.storages and is_contiguous(value):
                try:
                    for _ in values.chunks(value):
                        break
                except UnreadableFile as error:
                    yield f"{'.'.join(map(str, keys))}: {error}"


def _wrong_checksums(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            try:
                with archive.open(info) as entry:
                    while entry.read(1 << 20):
                        pass
            except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, ValueError, RuntimeError) as error:
                yield f"{info.filename} is damaged: {str(error) or 'it ends too early'}."
