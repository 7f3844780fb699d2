"""Directories of torch.distributed.checkpoint: a pickle that says what there is, and shards that hold it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

from pytest_ckpt.inspection.archives import read_archive
from pytest_ckpt.inspection.contents import Call, Contents, Region, StorageInfo, TensorInfo, UnreadableFile, name_of
from pytest_ckpt.inspection.pickled import read_pickle

__all__ = ["read_dcp"]

_METADATA = ".metadata"
Shape: TypeAlias = "tuple[int, ...]"


@dataclass(frozen=True, slots=True)
class _Shard:
    """Where a part begins in its tensor, and where its bytes stand."""

    offset: Any
    place: dict[str, Any]


def read_dcp(path: Path) -> Contents:
    """Read what a directory's ``.metadata`` says, and look whether the shards are there.

    Raises:
        UnreadableFile: If ``.metadata`` is damaged or of another kind.
    """
    found = read_pickle(path / _METADATA)
    try:
        return _Directory(path, found).read()
    except UnreadableFile as error:
        raise UnreadableFile(str(error), symbols=found.symbols) from error


def _state(value: Any, kind: str) -> dict[str, Any]:
    state = value.state if isinstance(value, Call) else None
    if not isinstance(state, dict) or not name_of(value.function).endswith(kind):
        raise UnreadableFile(f"The .metadata file holds no {kind} where torch writes one.")
    return state


class _Directory:
    """One directory that is being read."""

    def __init__(self, path: Path, found: Contents) -> None:
        self._path, self._found = path, found
        self._problems: list[str] = []
        self._symbols, self._inside = Counter(found.symbols), Counter(found.inside)

    def read(self) -> Contents:
        metadata = _state(self._found.root, "Metadata")
        entries, places = metadata.get("state_dict_metadata"), metadata.get("storage_data")
        if not isinstance(entries, dict) or not isinstance(places, dict):
            raise UnreadableFile("The .metadata file lists no tensors: it is of another version of torch, or damaged.")
        shards: dict[str, list[_Shard]] = {}
        for index, place in places.items():
            key = _state(index, "MetadataIndex")
            shards.setdefault(name_of(key.get("fqn")), []).append(
                _Shard(key.get("offset"), _state(place, "_StorageInfo"))
            )
        root = {name_of(name): self._entry(name_of(name), entry, shards) for name, entry in entries.items()}
        return replace(
            self._found,
            path=self._path,
            format="torch.distributed.checkpoint",
            root=_nested(root, metadata.get("planner_data")),
            symbols=dict(self._symbols),
            inside=dict(self._inside),
            problems=(*self._found.problems, *dict.fromkeys(self._problems)),
        )

    def _entry(self, name: str, entry: Any, shards: dict[str, list[_Shard]]) -> Any:
        mine = shards.get(name, [])
        found = [(shard, region) for shard in mine if (region := self._region(name, shard.place)) is not None]
        if not mine:
            self._problems.append(f"{name} is listed, but no file holds it.")
        if not name_of(getattr(entry, "function", "")).endswith("TensorStorageMetadata"):
            return self._object([region for _, region in found])
        state = _state(entry, "TensorStorageMetadata")
        dtype, shape = _dtype(state.get("properties")), _numbers(state.get("size"))
        if dtype is None or shape is None:
            raise UnreadableFile(f"The .metadata file does not say what kind of tensor {name} is.")
        boxes = dict(_boxes(state.get("chunks")))
        parts = tuple(_part(region, dtype, shape, _numbers(shard.offset), boxes) for shard, region in found)
        storages = tuple(storage for part in parts for storage in part.storages)
        whole = TensorInfo(dtype=dtype, shape=shape, storages=storages)
        return replace(whole, parts=parts) if len(parts) > 1 else whole

    def _region(self, name: str, place: dict[str, Any]) -> Region | None:
        relative, offset, length = (place.get(key) for key in ("relative_path", "offset", "length"))
        if not isinstance(relative, str) or type(offset) is not int or type(length) is not int:
            raise UnreadableFile(f"The .metadata file does not say where {name} stands.")
        file = self._path / relative.replace("\0", "?")
        if not file.resolve().is_relative_to(self._path.resolve()):
            self._problems.append(f"{name} is said to stand outside the directory, in {relative}.")
            return None
        try:
            size = file.stat().st_size if file.is_file() else -1
        except OSError:
            size = -1
        if min(offset, length) < 0 or offset + length > size:
            self._problems.append(f"{name} is said to stand in {relative}, which is missing or cut off.")
            return None
        return Region(path=file, offset=offset, length=length)

    def _object(self, regions: list[Region]) -> Any:
        for region in regions:
            try:
                found = read_archive(region.path, start=region.offset, length=region.length)
            except UnreadableFile as error:
                self._symbols += Counter(error.symbols)
                self._problems.append(f"{region.path.name}, byte {region.offset:,}: {error}")
                continue
            self._symbols += Counter(found.symbols)
            self._inside += Counter(found.inside)
            self._problems += [f"{region.path.name}, byte {region.offset:,}: {words}" for words in found.problems]
            return found.root
        return None


def _part(region: Region, dtype: str, whole: Shape, place: Shape | None, boxes: dict[Shape, Shape]) -> TensorInfo:
    key = f"{region.path.name}@{region.offset}"
    storage = StorageInfo(key=key, dtype=dtype, numel=0, location="cpu", data=region)
    place = (0,) * len(whole) if place is None else place
    return TensorInfo(dtype=dtype, shape=boxes.get(place, whole), storages=(storage,), place=place)


def _boxes(chunks: Any) -> Iterator[tuple[Shape, Shape]]:
    """Yield where each shard begins in the whole tensor, and its shape."""
    for chunk in chunks if isinstance(chunks, list) else ():
        state = _state(chunk, "ChunkStorageMetadata")
        place, shape = _numbers(state.get("offsets")), _numbers(state.get("sizes"))
        if place is not None and shape is not None:
            yield place, shape


def _numbers(sizes: Any) -> Shape | None:
    if not isinstance(sizes, tuple) or not all(type(size) is int and 0 <= size < 1 << 63 for size in sizes):
        return None
    return sizes if len(sizes) < 100 and prod(sizes) < 1 << 63 else None


def _dtype(properties: Any) -> str | None:
    state = properties.state if isinstance(properties, Call) else None
    values = state if isinstance(state, tuple) else tuple(state.values()) if isinstance(state, dict) else ()
    return name_of(values[0]).removeprefix("torch.") if values else None


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
