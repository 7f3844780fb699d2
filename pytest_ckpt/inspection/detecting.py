"""Which reader a file needs: its first bytes tell, never its name."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from pytest_ckpt.inspection.archives import read_archive
from pytest_ckpt.inspection.contents import Contents, UnreadableFile
from pytest_ckpt.inspection.dcp_directories import read_dcp
from pytest_ckpt.inspection.pickled import LEGACY_MAGIC, read_legacy, read_pickle
from pytest_ckpt.inspection.safetensors_files import read_index, read_safetensors

__all__ = ["inspect_checkpoint"]

_LEGACY = LEGACY_MAGIC.to_bytes(10, "little")
_LEGACY_TEXT = str(LEGACY_MAGIC).encode()  # in the first pickle protocols
_FIRST_ITEM = 24  # bytes that a pickle of it takes; further in it would be a pickle inside of another
_TAR = slice(257, 262)
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
_JSON_LIMIT = 1 << 26  # bytes


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
    except OSError as error:
        raise UnreadableFile(f"It cannot be opened: {error.strerror or error}.") from error
    except RecursionError as error:
        raise UnreadableFile("It is nested too deep to be a checkpoint.") from error


def _directory(path: Path) -> Contents:
    if (path / ".metadata").is_file():
        return read_dcp(path)
    if (path / "saved_model.pb").is_file():
        raise UnreadableFile("A SavedModel of TensorFlow, not a checkpoint of PyTorch.")
    found = sorted(item.name for item in path.iterdir() if item.name.endswith(_ENDINGS))
    words = f"Name a file in it: {', '.join(found[:3])}" if found else "Name a file in it"
    raise UnreadableFile(f"A directory without .metadata, which torch.distributed.checkpoint would write. {words}.")


_ENDINGS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".safetensors.index.json", ".pkl")


def _file(path: Path) -> Contents:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):  # Opening a named pipe would wait for someone to write into it.
        raise UnreadableFile("Neither a file nor a directory, but a pipe, a socket or a device.")
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
    if _LEGACY in head[:_FIRST_ITEM] or head[1:].startswith(_LEGACY_TEXT):
        return read_legacy(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 40:
        return read_safetensors(path)
    if head.lstrip()[:1] in (b"{", b"["):
        return _read_json(path)
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise UnreadableFile("A web page: the download got an error page instead of the file.")
    if head[_TAR] == b"ustar":
        raise UnreadableFile(
            "A tar archive. If torch before 0.1.10 wrote it, torch.load(..., weights_only=False) reads it."
        )
    if head[:1] == b"\x08" and head[2:3] in (b"\x12", b":"):
        raise UnreadableFile("Not a checkpoint of PyTorch: a model of ONNX.")
    return _read_some_pickle(path, head)


def _read_some_pickle(path: Path, head: bytes) -> Contents:
    try:
        return read_pickle(path)
    except UnreadableFile as error:
        if head.startswith(b"\x80"):
            raise
        words = "Not a checkpoint of PyTorch that is known here: neither a zip archive, a pickle nor safetensors."
        raise UnreadableFile(words, symbols=error.symbols) from error


def _read_json(path: Path) -> Contents:
    size = path.stat().st_size
    if size > _JSON_LIMIT:
        raise UnreadableFile(f"A JSON file of {size:,} bytes, too long to be looked into.")
    try:
        root = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"It begins like JSON, but is none: {error}.") from error
    if isinstance(root, dict) and isinstance(root.get("weight_map"), dict):
        return read_index(path, root["weight_map"])
    return Contents(path=path, format="JSON", root=root)
