"""safetensors files: a length, a JSON header, and the bytes."""

from __future__ import annotations

import json
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

from pytest_ckpt.inspection.contents import Contents, Region, StorageInfo, TensorInfo, UnreadableFile, name_of
from pytest_ckpt.inspection.rebuilt_tensors import ITEM_SIZES

__all__ = ["read_index", "read_safetensors"]

_LENGTH = 8
_MOST = 1 << 48  # bytes or elements
_DIMENSIONS = 100
_HEADER_LIMIT = 100_000_000  # bytes; the limit of the format's own library
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "I16": "int16",
    "U16": "uint16",
    "F16": "float16",
    "BF16": "bfloat16",
    "I32": "int32",
    "U32": "uint32",
    "F32": "float32",
    "C64": "complex64",
    "F64": "float64",
    "I64": "int64",
    "U64": "uint64",
}


def read_safetensors(path: Path) -> Contents:
    """Read the header of a safetensors file.

    Raises:
        UnreadableFile: If the header is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        if length > _HEADER_LIMIT:
            raise UnreadableFile(f"The safetensors header claims {length:,} bytes, more than the format allows.")
        if length > size - _LENGTH:
            raise UnreadableFile(
                f"The safetensors header claims {length:,} bytes; the file has {size:,}: it is cut off."
            )
        header = _header(file.read(length))
    metadata = header.pop("__metadata__", {})
    start = _LENGTH + length
    root = {name: _entry(path, name, entry, start) for name, entry in header.items()}
    data = [storage.data for tensor in root.values() for storage in tensor.storages]
    regions = sorted((item.offset, item.length) for item in data if isinstance(item, Region))
    facts = {str(key): str(value) for key, value in metadata.items()} if isinstance(metadata, dict) else {}
    problems = tuple(_problems(regions, start, size))
    return Contents(path=path, format="safetensors", root=root, problems=problems, facts=facts)


def read_index(path: Path, weight_map: dict[str, Any]) -> Contents:
    """Read a checkpoint in several safetensors files from the index that says what stands in which.

    Args:
        path: The index, a JSON file beside the others.
        weight_map: From names of tensors to names of files.
    """
    problems: list[str] = []
    shards = {name: _shard(path, name, problems) for name in dict.fromkeys(filter(_is_name, weight_map.values()))}
    root = {}
    for tensor, name in weight_map.items():
        found = shards.get(name, {}) if _is_name(name) else {}
        if tensor in found:
            root[tensor] = found[tensor]
        elif not _is_name(name) or found:
            problems.append(f"{tensor} is said to stand in {name_of(name)[:100]}, but does not.")
    return Contents(path=path, format="safetensors (index of several files)", root=root, problems=tuple(problems))


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name == Path(name).name and "\0" not in name and name not in ("", "..")


def _shard(path: Path, name: str, problems: list[str]) -> dict[str, TensorInfo]:
    file = path.parent / name
    try:
        if not file.is_file():
            raise UnreadableFile("it is missing.")
        found = read_safetensors(file)
    except (UnreadableFile, OSError) as error:
        problems.append(f"{name}: {error}")
        return {}
    problems += [f"{name}: {problem}" for problem in found.problems]
    tensors: dict[str, TensorInfo] = found.root
    return tensors


def _header(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"The safetensors header is no JSON: {error}.") from error
    if not isinstance(header, dict):
        raise UnreadableFile("The safetensors header is no JSON object.")
    return header


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name stands in it twice")
    return names


def _entry(path: Path, name: str, entry: Any, start: int) -> TensorInfo:
    try:
        dtype, shape, (first, last) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        dtype = _DTYPES.get(dtype, str(dtype)[:20])
        if len(shape) > _DIMENSIONS or not all(
            type(number) is int and number < _MOST for number in (*shape, first, last)
        ):
            raise ValueError("sizes or offsets that are none")
        length = prod(shape) * ITEM_SIZES.get(dtype, 0)
        if min(first, *shape, length, last - first) < 0 or (dtype in ITEM_SIZES and last - first != length):
            raise ValueError(f"{last - first:,} bytes for {dtype} {shape}")
    except (KeyError, TypeError, ValueError) as error:
        words = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise UnreadableFile(f"The safetensors entry {name[:100]!r} is damaged: {words}.") from error
    data = Region(path=path, offset=start + first, length=last - first)
    storage = StorageInfo(key=name, dtype=dtype, numel=prod(shape), location="cpu", data=data)
    return TensorInfo(dtype=dtype, shape=shape, storages=(storage,))


def _problems(regions: list[tuple[int, int]], start: int, size: int) -> list[str]:
    found = []
    end = max((offset + length for offset, length in regions), default=start)
    if end > size:
        found.append(f"The tensors end at byte {end:,}, the file at {size:,}: it is cut off.")
    if end < size:
        found.append(f"{size - end:,} bytes follow the last tensor; safetensors refuses such a file.")
    if any(a + length > b for (a, length), (b, _) in pairwise(regions)):
        found.append("Two tensors claim the same bytes; safetensors refuses such a file.")
    return found
