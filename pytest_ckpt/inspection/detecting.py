"""Which reader a file needs: its first bytes tell, never its name."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_ckpt.inspection.archives import read_archive
from pytest_ckpt.inspection.contents import Contents, UnreadableFile
from pytest_ckpt.inspection.dcp_directories import read_dcp
from pytest_ckpt.inspection.pickled import LEGACY_MAGIC, read_legacy, read_pickle
from pytest_ckpt.inspection.safetensors_files import read_safetensors

__all__ = ["inspect_checkpoint"]

_LEGACY = LEGACY_MAGIC.to_bytes(10, "little")
_FOREIGN = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, as Keras writes them",
    b"\x93NUMPY": "a numpy array (.npy)",
    b"GGUF": "a GGUF file, as llama.cpp reads them",
    b"\x1f\x8b": "compressed with gzip: unpack it first",
    b"BZh": "compressed with bzip2: unpack it first",
    b"\xfd7zXZ\x00": "compressed with xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it first",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself: run `git lfs pull`",
    b"SQLite format 3\x00": "an SQLite database",
}
_HEAD = 600


def inspect_checkpoint(path: Path) -> Contents:
    """Read what is in a checkpoint file or directory, without running anything that stands in it.

    Args:
        path: A file of torch.save (zip or legacy), a plain pickle, a safetensors or JSON file, or a directory of
            torch.distributed.checkpoint.

    Raises:
        UnreadableFile: If it is none of these, or too damaged to tell.
    """
    try:
        return _directory(path) if path.is_dir() else _file(path)
    except FileNotFoundError:
        raise UnreadableFile("There is no such file.") from None
    except PermissionError as error:
        raise UnreadableFile(f"It cannot be opened: {error.strerror}.") from error


def _directory(path: Path) -> Contents:
    if (path / ".metadata").is_file():
        return read_dcp(path)
    raise UnreadableFile("A directory without .metadata: not one of torch.distributed.checkpoint. Name a file in it.")


def _file(path: Path) -> Contents:
    if not path.is_file():
        raise UnreadableFile("Neither a file nor a directory.")
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise UnreadableFile("The file is empty: the program that wrote it was stopped, or the disk was full.")
    for magic, words in _FOREIGN.items():
        if head.startswith(magic):
            raise UnreadableFile(f"Not a checkpoint of PyTorch: {words}.")
    return _by_content(path, head)


def _by_content(path: Path, head: bytes) -> Contents:
    if head.startswith(b"PK"):
        return read_archive(path)
    if _LEGACY in head[:64]:
        return read_legacy(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 40:
        return read_safetensors(path)
    if head.lstrip()[:1] in (b"{", b"["):
        return _read_json(path)
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise UnreadableFile("A web page: the download got an error page instead of the file.")
    return _read_some_pickle(path, head)


def _read_some_pickle(path: Path, head: bytes) -> Contents:
    try:
        return read_pickle(path)
    except UnreadableFile as error:
        if head.startswith(b"\x80"):
            raise
        raise UnreadableFile(
            "Not a checkpoint of PyTorch that is known here: neither a zip archive, a pickle nor safetensors."
        ) from error


def _read_json(path: Path) -> Contents:
    try:
        root = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"It begins like JSON, but is none: {error}.") from error
    return Contents(path=path, format="JSON", root=root)
