"""What is in a checkpoint file, as data: stand-ins for the objects that reading it would make."""

from __future__ import annotations

from collections.abc import Mapping
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
    "Region",
    "StorageInfo",
    "StorageView",
    "Symbol",
    "TensorInfo",
    "UnreadableFile",
    "name_of",
]


class UnreadableFile(CkptError):
    """A file is no checkpoint that can be inspected; the message says what it is, or where it is damaged.

    Attributes:
        symbols: What its pickles name before the damage: reading it runs that, and fails then.
    """

    def __init__(self, message: str, symbols: Mapping[str, int] | None = None) -> None:
        """Keep what was seen before the damage."""
        super().__init__(message)
        self.symbols: Mapping[str, int] = dict(symbols or {})


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
        swapped: Whether the bytes of its elements are in the other order than on the machines of today.
    """

    key: str
    dtype: str
    numel: int
    location: str
    data: Region | bytes | None = field(default=None, repr=False)
    swapped: bool = False


@dataclass(frozen=True, slots=True)
class StorageView:
    """A part of a storage under a name of its own, as torch before 0.4 wrote it."""

    storage: StorageInfo
    offset: int


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
        storages: The memory behind it; that of all its parts, if it has parts.
        parts: What an unusual one consists of: indices and values, scales, the tensors inside a subclass, shards.
        conjugate: Whether the values are those of the storage with the imaginary part's sign changed.
        negative: Whether the values are those of the storage with their sign changed.
        place: Where a shard begins in the whole tensor, in elements of each dimension.
    """

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...] = ()
    offset: int = 0
    requires_grad: bool = False
    kind: str = "tensor"
    storages: tuple[StorageInfo, ...] = ()
    parts: tuple[TensorInfo, ...] = ()
    conjugate: bool = False
    negative: bool = False
    place: tuple[int, ...] = ()

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
        items: The objects of an array of objects.
        order: ``C`` or ``F``, as the bytes stand.
    """

    dtype: str = ""
    shape: tuple[int, ...] = ()
    data: bytes = field(default=b"", repr=False)
    items: list[Any] = field(default_factory=list, repr=False)
    order: str = "C"

    def build(self, state: Any) -> None:
        """Take what ``numpy.ndarray.__setstate__`` would get: version, shape, dtype, order and bytes."""
        shape, dtype, fortran, data = state[-4:]  # A very old numpy writes no version.
        self.dtype, self.shape, self.order = name_of(dtype), _sizes(shape), "F" if fortran else "C"
        if isinstance(data, list):
            self.items = data
        else:
            data = data.encode("latin-1") if isinstance(data, str) else data
            self.data = bytes(data) if isinstance(data, bytes | bytearray) else b""


@dataclass(eq=False, slots=True)
class DtypeInfo:
    """A numpy dtype."""

    name: str
    order: str = "|"
    fields: tuple[str, ...] = ()

    def build(self, state: Any) -> None:
        """Take what ``numpy.dtype.__setstate__`` would get: byte order second, then the names of fields and these."""
        self.order = state[1] if isinstance(state[1], str) else "|"
        if isinstance(state[3], tuple) and isinstance(state[4], dict):
            inside = {name: state[4].get(name) for name in state[3] if isinstance(name, str)}
            kinds = {name: item[0] if isinstance(item, tuple) and item else item for name, item in inside.items()}
            # One in another one is only named: they may be nested to any depth.
            self.fields = tuple(
                f"{name}: {item.short if isinstance(item, DtypeInfo) else '?'}" for name, item in kinds.items()
            )

    @property
    def short(self) -> str:
        """Name and byte order, without fields."""
        return f"{self.order.strip('|=')}{self.name}"

    def __str__(self) -> str:
        return f"{self.short}{{{', '.join(self.fields)}}}" if self.fields else self.short


def name_of(value: Any) -> str:
    """Spell a name, a class or a number of a file; of anything else, which may be nested without end, its type."""
    plain = isinstance(value, str | Symbol | DtypeInfo | bool) or (isinstance(value, int) and abs(value) < 1 << 64)
    return str(value) if plain else type(value).__name__


def _sizes(shape: Any) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if not all(type(size) is int and 0 <= size < 1 << 63 for size in sizes):
        raise ValueError("an array's shape is made of other things than numbers")
    return sizes


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
        inside: What pickles name that are data in this file: strings of bytes, other entries of an archive. Reading the
            file does not run them; a program that reads on does.
    """

    path: Path
    format: str
    root: Any
    symbols: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    inside: Mapping[str, int] = field(default_factory=dict)
