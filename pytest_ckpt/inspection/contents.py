"""What is in a checkpoint file, as data: stand-ins for the objects that reading it would make."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from pytest_ckpt.errors import CkptError

__all__ = [
    "ArrayInfo",
    "Call",
    "Contents",
    "DtypeInfo",
    "OrderedMapping",
    "Region",
    "StorageInfo",
    "Symbol",
    "TensorInfo",
    "UnreadableFile",
    "walk",
]


class UnreadableFile(CkptError):
    """A file is no checkpoint that can be inspected; the message says what it is, or where it is damaged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """Bytes of a file."""

    path: Path
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """A class or a function that a pickle names. It is not imported.

    As text a name inside another one, which may lead anywhere (``torch.nn:os.system``), stands behind a colon.
    """

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}{':' if '.' in self.name else '.'}{self.name}"


@dataclass(eq=False, slots=True)
class Call:
    """An object of a kind that is not looked into: what a pickle would call to make it, and with what.

    Attributes:
        function: The class or function.
        args: Its arguments.
        state: What ``__setstate__`` or the object's ``__dict__`` would get.
        items: What would be appended, or set by key.
    """

    function: Any
    args: tuple[Any, ...] = ()
    state: Any = None
    items: Any = None

    def build(self, state: Any) -> None:
        """Take the state that a pickle gives the object after it was made."""
        self.state = state


@dataclass(eq=False, kw_only=True, slots=True)
class StorageInfo:
    """The memory behind one or several tensors; those that share it share this object.

    Attributes:
        key: Its name in the file.
        dtype: torch's name of what it holds, such as ``float32``; ``uint8`` where it is untyped.
        numel: How many of those.
        location: The device it was written from.
        data: Its bytes or where they are, or ``None`` if that is not known.
    """

    key: str
    dtype: str
    numel: int
    location: str
    data: Region | bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorInfo:
    """A tensor, without its values.

    Attributes:
        dtype: torch's name, such as ``float32``.
        shape: Its sizes.
        strides: In elements; empty where the tensor is contiguous by definition of the format.
        offset: Elements of the storage before its first one.
        requires_grad: As it was saved.
        kind: ``tensor``, ``parameter``, or the layout or class of an unusual one.
        storages: The memory behind it: one, or several for sparse tensors and for shards.
    """

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...] = ()
    offset: int = 0
    requires_grad: bool = False
    kind: str = "tensor"
    storages: tuple[StorageInfo, ...] = ()

    @property
    def numel(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def device(self) -> str:
        """Where it was when it was saved."""
        return self.storages[0].location if self.storages else "cpu"


@dataclass(eq=False, slots=True)
class ArrayInfo:
    """A numpy array or scalar that stands in the pickle itself.

    Attributes:
        dtype: numpy's short name, such as ``<f8``.
        shape: Its sizes; empty for a scalar.
        data: Its bytes; empty for one of objects.
    """

    dtype: str = ""
    shape: tuple[int, ...] = ()
    data: bytes = field(default=b"", repr=False)

    def build(self, state: Any) -> None:
        """Take what ``numpy.ndarray.__setstate__`` would get: version, shape, dtype, order and bytes."""
        _, shape, dtype, _, data = state
        self.dtype, self.shape = str(dtype), tuple(shape)
        self.data = data if isinstance(data, bytes) else b""


@dataclass(eq=False, slots=True)
class DtypeInfo:
    """A numpy dtype."""

    name: str
    order: str = "|"

    def build(self, state: Any) -> None:
        """Take what ``numpy.dtype.__setstate__`` would get; the second is the byte order."""
        self.order = str(state[1])

    def __str__(self) -> str:
        return f"{self.order.strip('|=')}{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What is in a checkpoint.

    Attributes:
        path: The file or directory.
        format: How it was written, in words.
        root: Nested plain containers of plain values and the stand-ins of this module.
        symbols: Each class or function that reading it in full would import, and how often it is named.
        problems: What is wrong with the file, one sentence each.
        facts: Other things worth knowing, such as the pickle protocol.
    """

    path: Path
    format: str
    root: Any
    symbols: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


_PLACES = 1_000_000
_DEPTH = 60


def walk(root: Any) -> Iterator[tuple[tuple[object, ...], Any]]:
    """Yield the leaves of nested containers with the keys that lead to them, in the file's order.

    A list of many numbers is one leaf. A list that holds another one twice, and so on, makes a million places of a
    file of a few hundred bytes: no more than that are looked at, and none that is more than 60 deep.
    """
    waiting: list[tuple[tuple[object, ...], Any, frozenset[int]]] = [((), root, frozenset())]
    visited = 0
    while waiting and visited < _PLACES:
        keys, value, above = waiting.pop()
        visited += 1
        inside = [] if id(value) in above or len(keys) > _DEPTH else _children(value)
        if not inside:
            yield keys, value
            continue
        below = above | {id(value)}
        waiting.extend(((*keys, key), item, below) for key, item in reversed(inside))


def _children(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return [(_key(key, number), item) for number, (key, item) in enumerate(value.items())]
    if isinstance(value, list | tuple):
        return [] if _is_numbers(value) else list(enumerate(value))
    if isinstance(value, Call):
        parts = {"args": value.args, "state": value.state, "items": value.items}
        return [(f"<{name}>", part) for name, part in parts.items() if part]
    return []


_MANY_NUMBERS = 16  # More are a table, such as the state of a random generator, and one leaf.


def _is_numbers(value: list[Any] | tuple[Any, ...]) -> bool:
    return len(value) > _MANY_NUMBERS and all(type(item) in (int, float) for item in value)


def _key(key: Any, number: int) -> Any:
    if isinstance(key, TensorInfo | Call):  # as in the state of an optimizer, pickled as a whole
        return f"<key {number}>"
    return key if isinstance(key, str | int) else str(key)


class OrderedMapping(OrderedDict[Any, Any]):
    """A ``collections.OrderedDict`` of a file, with the attributes it had, such as a state dict's ``_metadata``."""

    attributes: Any = None

    def build(self, state: Any) -> None:
        """Take the attributes."""
        self.attributes = state
