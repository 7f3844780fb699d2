"""The bytes of a tensor in a file, a few megabytes at a time: the weights are never in memory at once."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pytest_ckpt.inspection.archives import read_archive
from pytest_ckpt.inspection.contents import Region, StorageInfo, TensorInfo, UnreadableFile
from pytest_ckpt.inspection.rebuilding import ITEM_SIZES

__all__ = ["CHUNK", "Values", "is_contiguous", "open_values"]

CHUNK = 4 << 20
"""The most bytes that are looked at together."""


@contextmanager
def open_values() -> Iterator[Values]:
    """Open files for reading values; they are closed at the end."""
    with ExitStack() as stack:
        yield Values(stack)


class Values:
    """Reads the values of tensors from the files that hold them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._maps: dict[Path, mmap.mmap] = {}

    def chunks(self, tensor: TensorInfo) -> Iterator[bytes | memoryview]:
        """Yield a tensor's bytes in the order of its elements, in chunks of equal size but for the last one.

        The bytes of a sparse tensor are those of its parts; a tensor in shards yields shard after shard.

        Raises:
            UnreadableFile: If they are not in the file.
        """
        for storage in tensor.storages:
            if (inner := _inside_shard(storage)) is not None:
                yield from self.chunks(inner)
            elif len(tensor.storages) > 1 or is_contiguous(tensor):
                yield from self._plain(tensor, storage)
            else:
                yield from _split(self._gathered(tensor, storage))

    def _plain(self, tensor: TensorInfo, storage: StorageInfo) -> Iterator[bytes | memoryview]:
        alone = len(tensor.storages) == 1
        size = ITEM_SIZES.get(tensor.dtype, 0)
        start = tensor.offset * size if alone else 0
        length = tensor.numel * size if alone else storage.numel * ITEM_SIZES[storage.dtype]
        data = _data(storage)
        if isinstance(data, bytes):
            _require(start + length, len(data), storage)
            yield from _split(memoryview(data)[start : start + length])
            return
        _require(start + length, data.length, storage)
        yield from self._mapped(data.path, data.offset + start, length)

    def _mapped(self, path: Path, offset: int, length: int) -> Iterator[memoryview]:
        if length == 0:
            return
        mapped = self._map(path)
        with memoryview(mapped) as whole:
            for first in range(offset, offset + length, CHUNK):
                with whole[first : min(first + CHUNK, offset + length)] as view:
                    yield view
                # What was read once is not needed again, and counts as memory of this process.
                page = first - first % mmap.PAGESIZE
                mapped.madvise(mmap.MADV_DONTNEED, page, min(CHUNK, len(mapped) - page))

    def _map(self, path: Path) -> mmap.mmap:
        if path not in self._maps:
            file = self._stack.enter_context(path.open("rb"))
            self._maps[path] = self._stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return self._maps[path]

    def _gathered(self, tensor: TensorInfo, storage: StorageInfo) -> memoryview:
        """Return the elements of a tensor that does not stand in its storage in order."""
        size = ITEM_SIZES.get(tensor.dtype, 0)
        data = _data(storage)
        last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
        length = len(data) if isinstance(data, bytes) else data.length
        _require((last + 1) * size, length, storage)
        raw = (
            data
            if isinstance(data, bytes)
            else b"".join(map(bytes, self._mapped(data.path, data.offset, (last + 1) * size)))
        )
        return _in_order(raw, tensor, size)


def is_contiguous(tensor: TensorInfo) -> bool:
    """Whether a tensor's elements stand in its storage in order, without gaps."""
    expected = 1
    for length, stride in zip(reversed(tensor.shape), reversed(tensor.strides), strict=False):
        if length != 1 and stride != expected:
            return tensor.numel == 0
        expected *= length
    return True


def _inside_shard(storage: StorageInfo) -> TensorInfo | None:
    """Return the tensor in a shard of torch.distributed.checkpoint, which is a file of torch.save in a file."""
    if storage.numel or not isinstance(storage.data, Region) or "@" not in storage.key:
        return None
    region = storage.data
    root = read_archive(region.path, start=region.offset, length=region.length).root
    return root if isinstance(root, TensorInfo) else None


def _data(storage: StorageInfo) -> Region | bytes:
    if storage.data is None:
        raise UnreadableFile(f"The bytes of storage {storage.key} are not in the file.")
    return storage.data


def _require(needed: int, there: int, storage: StorageInfo) -> None:
    if needed > there:
        raise UnreadableFile(f"Storage {storage.key} has {there:,} bytes; its tensor reaches to byte {needed:,}.")


def _split(data: memoryview) -> Iterator[memoryview]:
    for first in range(0, len(data), CHUNK):
        yield data[first : first + CHUNK]


def _in_order(raw: bytes, tensor: TensorInfo, size: int) -> memoryview:
    import torch  # slow to import, and only views and transposed tensors need it

    kinds = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.complex128}
    flat = torch.frombuffer(bytearray(raw), dtype=kinds[size])
    ordered = flat.as_strided(tensor.shape, tensor.strides, tensor.offset).contiguous()
    return memoryview(ctypes.string_at(ordered.data_ptr(), ordered.nbytes))  # torch may be there without numpy
