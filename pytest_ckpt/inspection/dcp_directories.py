"""Directories of torch.distributed.checkpoint: a pickle that says what there is, and shards that hold it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_ckpt.inspection.archives import read_archive
from pytest_ckpt.inspection.contents import Call, Contents, Region, StorageInfo, TensorInfo, UnreadableFile
from pytest_ckpt.inspection.pickled import read_pickle

__all__ = ["read_dcp"]

_METADATA = ".metadata"


def read_dcp(path: Path) -> Contents:
    """Read what a directory's ``.metadata`` says, and look whether the shards are there.

    Raises:
        UnreadableFile: If ``.metadata`` is damaged or of another kind.
    """
    found = read_pickle(path / _METADATA)
    metadata = _state(found.root, "Metadata")
    entries, places = metadata.get("state_dict_metadata"), metadata.get("storage_data")
    if not isinstance(entries, dict) or not isinstance(places, dict):
        raise UnreadableFile("The .metadata file lists no tensors: it is of another version of torch, or damaged.")
    shards: dict[str, list[Any]] = {}
    for index, place in places.items():
        shards.setdefault(str(_state(index, "MetadataIndex").get("fqn")), []).append(_state(place, "_StorageInfo"))
    problems: list[str] = []
    root = {name: _entry(path, name, entry, shards.get(name, []), problems) for name, entry in entries.items()}
    return replace(
        found,
        path=path,
        format="torch.distributed.checkpoint",
        root=_nested(root, metadata.get("planner_data")),
        problems=(*found.problems, *dict.fromkeys(problems)),
    )


def _state(value: Any, kind: str) -> dict[str, Any]:
    state = value.state if isinstance(value, Call) else None
    if not isinstance(state, dict) or not str(value.function).endswith(kind):
        raise UnreadableFile(f"The .metadata file holds no {kind} where torch writes one.")
    return state


def _entry(path: Path, name: str, entry: Any, shards: list[dict[str, Any]], problems: list[str]) -> Any:
    regions = [region for shard in shards if (region := _region(path, name, shard, problems)) is not None]
    if not shards:
        problems.append(f"{name} is listed, but no file holds it.")
    if not str(getattr(entry, "function", "")).endswith("TensorStorageMetadata"):
        return _object(regions, problems)
    state = _state(entry, "TensorStorageMetadata")
    dtype = _dtype(state.get("properties"))
    shape = state.get("size")
    if dtype is None or not isinstance(shape, tuple):
        raise UnreadableFile(f"The .metadata file does not say what kind of tensor {name} is.")
    storages = tuple(
        StorageInfo(key=f"{region.path.name}@{region.offset}", dtype=dtype, numel=0, location="cpu", data=region)
        for region in regions
    )
    return TensorInfo(dtype=dtype, shape=shape, storages=storages)


def _dtype(properties: Any) -> str | None:
    state = properties.state if isinstance(properties, Call) else None
    values = state if isinstance(state, tuple) else tuple(state.values()) if isinstance(state, dict) else ()
    return str(values[0]).removeprefix("torch.") if values else None


def _region(path: Path, name: str, shard: dict[str, Any], problems: list[str]) -> Region | None:
    relative, offset, length = (shard.get(key) for key in ("relative_path", "offset", "length"))
    if not isinstance(relative, str) or not isinstance(offset, int) or not isinstance(length, int):
        raise UnreadableFile(f"The .metadata file does not say where {name} stands.")
    file = path / relative
    if not file.resolve().is_relative_to(path.resolve()):
        problems.append(f"{name} is said to stand outside the directory, in {relative}.")
        return None
    if not file.is_file() or min(offset, length) < 0 or offset + length > file.stat().st_size:
        problems.append(f"{name} is said to stand in {relative}, which is missing or cut off.")
        return None
    return Region(path=file, offset=offset, length=length)


def _object(regions: list[Region], problems: list[str]) -> Any:
    for region in regions:
        try:
            return read_archive(region.path, start=region.offset, length=region.length).root
        except UnreadableFile as error:
            problems.append(f"{region.path.name}, byte {region.offset}: {error}")
    return None


def _nested(flat: dict[str, Any], mappings: Any) -> dict[str, Any]:
    """Nest flat names again, as ``torch.distributed.checkpoint`` does with its ``planner_data``."""
    root: dict[Any, Any] = {}
    for name, value in flat.items():
        keys = mappings.get(name) if isinstance(mappings, dict) else None
        if not isinstance(keys, tuple) or not keys or not all(isinstance(key, str | int) for key in keys):
            keys = (name,)
        inner: Any = root
        for key in keys[:-1]:
            inner = inner.setdefault(key, {}) if isinstance(inner, dict) else {}
        if isinstance(inner, dict):
            inner[keys[-1]] = value
    return root
