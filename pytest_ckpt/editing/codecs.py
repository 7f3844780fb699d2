"""How a file of a checkpoint is read and written: the format is told by its first bytes, not by its name."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from pytest_ckpt.editing.codec import Codec

__all__ = ["codec_for", "find_codec", "is_dcp"]

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")  # torch.serialization.MAGIC_NUMBER
_PICKLE_PACKAGES = ("pickle", "cloudpickle", "dill")


def is_dcp(path: Path) -> bool:
    """Whether a directory was written by ``torch.distributed.checkpoint``."""
    return (path / ".metadata").is_file()


def find_codec(path: Path) -> Codec | None:
    """Return the codec of a file or of a directory of torch.distributed.checkpoint; ``None`` for other formats."""
    if path.is_dir():
        return _elsewhere("with_dcp") if is_dcp(path) else None
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"PK\x03\x04"):
        return _ZIP if _is_torch_zip(path) else None
    if _LEGACY_MAGIC in head:
        return _LEGACY
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") + 8 <= path.stat().st_size:
        return _elsewhere("with_safetensors")
    if head.startswith(b"\x80") or path.suffix in (".pkl", ".pickle"):
        return _PICKLE
    return _JSON if head.lstrip()[:1] in (b"{", b"[") else None


def codec_for(format: str) -> Codec | None:
    """Return the codec that writes a format, called as :mod:`pytest_ckpt.inspection` calls it."""
    here = {"torch.save (zip)": _ZIP, "torch.save (legacy)": _LEGACY, "pickle": _PICKLE, "JSON": _JSON}
    modules = {"safetensors": "with_safetensors", "torch.distributed.checkpoint": "with_dcp"}
    return _elsewhere(modules[format]) if format in modules else here.get(format)


def _elsewhere(module: str) -> Codec:
    codec: Codec = import_module(f"pytest_ckpt.editing.{module}").CODEC  # slow to import, or not installed
    return codec


def _is_torch_zip(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
    return "data.pkl" in names and "constants.pkl" not in names  # TorchScript has constants


def _write_torch(content: Any, path: Path, **options: Any) -> None:
    _write_with(lambda module: torch.save(content, path, pickle_module=module, **options))


def _read_pickle(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return pickle.load(file)
    except Exception:  # what dill pickles of __main__ by name, only dill finds again
        dill = import_module("dill")
        with path.open("rb") as file:
            return dill.load(file)


def _write_pickle(content: Any, path: Path) -> None:
    def write(module: Any) -> None:
        with path.open("wb") as file:
            module.dump(content, file)

    _write_with(write)


def _write_with(write: Callable[[Any], None]) -> None:
    """Write with the first package that can; local functions and classes need another one than pickle."""
    first: Exception | None = None
    for name in _PICKLE_PACKAGES:
        try:
            return write(import_module(name))
        except Exception as error:
            first = first or error
    assert first is not None
    raise first


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write_json(content: Any, path: Path) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


_load = partial(torch.load, map_location="cpu", weights_only=False)
_load_safely = partial(torch.load, map_location="cpu", weights_only=True)

_ZIP = Codec(name="torch.save", read=_load, write=_write_torch, read_safely=_load_safely)
_LEGACY = Codec(
    name="torch.save in its legacy format",
    read=_load,
    write=partial(_write_torch, _use_new_zipfile_serialization=False),
    read_safely=_load_safely,
)
_PICKLE = Codec(name="pickle", read=_read_pickle, write=_write_pickle)
_JSON = Codec(name="JSON", read=_read_json, write=_write_json, read_safely=_read_json)
