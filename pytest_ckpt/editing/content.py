"""A checkpoint as files and what is in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_ckpt.editing.codec import Codec
from pytest_ckpt.editing.codecs import find_codec, is_dcp
from pytest_ckpt.paths import Keys, spell

__all__ = ["Document", "File", "read_checkpoint", "read_saved"]


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """One file of a checkpoint, or one directory of torch.distributed.checkpoint.

    Attributes:
        path: Where it is.
        codec: How to write it; ``None`` if it cannot be read.
        content: What is in it.
        reason: Why it cannot be read, in words for a note; empty if it can.
    """

    path: Path
    codec: Codec | None = None
    content: Any = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A checkpoint that was read.

    Attributes:
        files: Its files by the name that a path into it begins with, which is empty for the only one.
    """

    files: dict[str, File]

    @property
    def readable(self) -> dict[str, File]:
        """The files whose content is known."""
        return {name: file for name, file in self.files.items() if file.codec is not None}

    def spell(self, name: str, keys: Keys) -> str:
        """Spell a place in a file: ``model.fc.weight``, or ``weights.pt: model.fc.weight`` among several files."""
        return ": ".join(filter(None, (name, spell(keys))))

    def with_content(self, name: str, content: Any) -> Document:
        """Return a copy in which one file has another content."""
        return replace(self, files={**self.files, name: replace(self.files[name], content=content)})

    def without(self, name: str) -> Document:
        """Return a copy without one file."""
        return replace(self, files={key: file for key, file in self.files.items() if key != name})

    def write_over(self, original: Document) -> None:
        """Bring the files on disk, which are those of ``original``, to what this document says."""
        for name, file in original.files.items():
            if name in self.files and (file.codec is None or self.files[name] is file):
                continue
            if file.path.is_dir():
                shutil.rmtree(file.path)
            else:
                file.path.unlink()  # Not truncated: a run may have it in its memory map.
            if (new := self.files.get(name)) is not None and new.codec is not None:
                new.codec.write(new.content, new.path)


def read_saved(path: Path, codec: Codec | None = None) -> Document:
    """Read what a run has just saved to a path in a directory of its own, side files included.

    Args:
        path: What ``save`` was called with.
        codec: How to read it, where that is known.
    """
    if codec is not None:
        return Document(files={"": File(path=path, codec=codec, content=codec.read(path))})
    alone = list(path.parent.iterdir()) == [path]
    return read_checkpoint(path if alone else path.parent, trusted=True)


def read_checkpoint(path: Path, *, trusted: bool) -> Document:
    """Read a checkpoint: a file, or a directory and all files in it.

    Args:
        path: The file or the directory.
        trusted: Whether code in the files may run, as it does when pickles are read. A file that the run of a
            test has written itself is as safe as the test; one from elsewhere is not.
    """
    paths = sorted(_files_in(path)) if path.is_dir() else [path]
    names = [""] if len(paths) == 1 else [_name(item, path) for item in paths]
    return Document(files={name: _read(item, trusted=trusted) for name, item in zip(names, paths, strict=True)})


def _name(item: Path, root: Path) -> str:
    return item.relative_to(root).as_posix()


def _files_in(path: Path) -> Iterator[Path]:
    if is_dcp(path):
        yield path
        return
    for entry in os.scandir(path):
        if entry.is_dir(follow_symlinks=False):
            yield from _files_in(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def _read(path: Path, *, trusted: bool) -> File:
    try:
        codec = find_codec(path)
        if codec is None:
            return File(path=path, reason="its format is none that can be edited")
        read = codec.read if trusted else codec.read_safely
        if read is None:
            return File(path=path, reason=f"reading {codec.name} runs code that is in the file")
        return File(path=path, codec=codec, content=read(path))
    except Exception as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]  # torch goes on with advice, in bold
        return File(path=path, reason=f"it cannot be read: {type(error).__name__}: {reason}")
