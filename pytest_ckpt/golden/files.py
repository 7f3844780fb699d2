"""The files of a checkpoint: one, or a directory of them with side files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pytest_ckpt.inspection import Contents, UnreadableFile, inspect_checkpoint

__all__ = ["OPAQUE", "digest_of", "files_of"]

OPAQUE = "another format"
"""How the format of a file is called that is not looked into, such as a log or a YAML file beside the checkpoint."""

_CHUNK = 1 << 20
_CHANCE = re.compile(r"\d{6,}|[0-9a-f]{16,}")  # a time or a digest in the name of a file


def files_of(path: Path) -> dict[str, Contents]:
    """Return what is in each file of a checkpoint, by what paths into it begin with.

    Args:
        path: What ``save`` was called with, in a directory of its own: files beside it belong to the checkpoint. The
            prefix of the only file is empty; those of several files are their names with a colon.

    Raises:
        UnreadableFile: If there is no file.
    """
    beside = sorted(path.parent.iterdir())
    if beside == [path] and (path.is_file() or (path / ".metadata").is_file()):
        return {"": _look_into(path)}
    root = path if beside == [path] else path.parent
    found = sorted(_entries(root))
    if not found:
        raise UnreadableFile(f"save({path.name!r}) has written no file into the directory of that path.")
    if len(found) == 1:
        return {"": _look_into(found[0])}
    names = [item.relative_to(root).as_posix() for item in found]
    steady = [_CHANCE.sub("*", name) for name in names]
    if len(set(steady)) == len(names):
        names = steady
    return {f"{name}: ": _look_into(item) for name, item in zip(names, found, strict=True)}


def _entries(directory: Path) -> Iterator[Path]:
    """Yield the files below a directory; one of torch.distributed.checkpoint counts as one."""
    for item in directory.iterdir():
        if item.is_dir() and not (item / ".metadata").is_file():
            yield from _entries(item)
        else:
            yield item


def _look_into(path: Path) -> Contents:
    try:
        return inspect_checkpoint(path)
    except UnreadableFile:
        return Contents(path=path, format=OPAQUE, root=None)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes; of a directory, that of its files' names and digests.

    The latter is what ``sha256sum`` prints, file after file in the order of their names, hashed once more.
    """
    if path.is_dir():
        files = sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        lines = [f"{digest_of(file)}  {file.relative_to(path).as_posix()}\n" for file in files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
