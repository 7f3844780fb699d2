"""The bytes of a tensor in a file, a few megabytes at a time: the weights are never in memory at once."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from pytest_ckpt.inspection.archives import read_archive
from pytest_ckpt.inspection.contents import Region, StorageInfo, TensorInfo, UnreadableFile
from pytest_ckpt.inspection.elements import gathered, put, with_marks
from pytest_ckpt.inspection.rebuilt_tensors import ITEM_SIZES

__all__ = ["CHUNK", "Values", "is_contiguous", "open_values"]

CHUNK = 4 << 20
"""The most bytes that are looked at together."""

_MOST_AT_ONCE = 1 << 28  # bytes
_REPEATED = 64  # times that a tensor may be larger than its storage, by strides of 0, to be looked at


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

        A chunk is valid until the next one is asked for. The bytes of a tensor that has parts are those of its parts,
        one after the other; shards are put together.

        Raises:
            UnreadableFile: If they are not in the file.
        """
        yield from _even(self._pieces(tensor))

    def _pieces(self, tensor: TensorInfo) -> Iterator[bytes | memoryview]:
        if any(part.place for part in tensor.parts):
            yield from self._shards(tensor)
            return
        for part in tensor.parts:
            yield from self._pieces(part)
        for storage in () if tensor.parts else tensor.storages:
            if (inner := _inside_shard(storage)) is not None:
                yield from self._pieces(inner)
            else:
                yield from with_marks(self._in_storage(tensor, storage), tensor, swapped=storage.swapped)

    def _in_storage(self, tensor: TensorInfo, storage: StorageInfo) -> Iterator[bytes | memoryview]:
        size = ITEM_SIZES.get(tensor.dtype)
        if size is None:
            raise UnreadableFile(f"How many bytes an element of {tensor.dtype} has is not known here.")
        data, there = _data(storage), _length(storage)
        if is_contiguous(tensor):
            first, last = tensor.offset * size, (tensor.offset + tensor.numel) * size
        else:
            steps = zip(tensor.shape, tensor.strides, strict=True)
            first, last = 0, (tensor.offset + sum((n - 1) * step for n, step in steps) + 1) * size
            if tensor.numel * size > _REPEATED * max(there, CHUNK):
                raise UnreadableFile(f"Storage {storage.key} is far smaller than its tensor: {tensor.shape}.")
        _require(last, there, storage)
        if is_contiguous(tensor):
            yield from self._plain(data, first, last)
        elif isinstance(data, bytes):
            yield from gathered(memoryview(data), tensor, size, CHUNK)
        else:
            with memoryview(self._map(data.path)) as whole, whole[data.offset : data.offset + last] as view:
                yield from gathered(view, tensor, size, CHUNK)

    def _plain(self, data: Region | bytes, first: int, last: int) -> Iterator[bytes | memoryview]:
        if isinstance(data, bytes):
            for start in range(first, last, CHUNK):
                yield memoryview(data)[start : min(start + CHUNK, last)]
        else:
            yield from self._mapped(data.path, data.offset + first, last - first)

    def _shards(self, tensor: TensorInfo) -> Iterator[bytes | memoryview]:
        """Put shards together: one after the other where they are rows of the whole, else in memory."""
        shards = sorted(tensor.parts, key=lambda part: part.place)
        size, rest = ITEM_SIZES[tensor.dtype], tensor.shape[1:]
        rows = [(part.place[0], part.shape[0]) for part in shards if part.shape[1:] == rest and not any(part.place[1:])]
        if len(rows) == len(shards) and all(a + n == b for (a, n), (b, _) in pairwise(rows)):
            for part in shards:
                yield from self._pieces(replace(part, place=()))
            return
        if tensor.numel * size > _MOST_AT_ONCE:
            raise UnreadableFile(f"Its shards have {tensor.numel * size:,} bytes, too many to put together here.")
        whole = bytearray(tensor.numel * size)
        for part in shards:
            put(whole, tensor.shape, b"".join(map(bytes, self._pieces(replace(part, place=())))), part, size)
        yield bytes(whole)

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


def _length(storage: StorageInfo) -> int:
    data = _data(storage)
    return len(data) if isinstance(data, bytes) else data.length


def _even(pieces: Iterator[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Yield the same bytes in chunks of one size; those that are so already are not copied."""
    left = bytearray()
    for piece in pieces:
        if not left and len(piece) == CHUNK:
            yield piece
            continue
        left += piece
        while len(left) >= CHUNK:
            yield bytes(left[:CHUNK])
            del left[:CHUNK]
    if left:
        yield bytes(left)
