"""What crosses between two of our own processes: plain data, with tensors as bytes.

A frozen state may hold a function, a class or an object of the project. Its name and what it shows of itself cross
instead of it, since the other process need not have its module. What is compared with it is treated alike.
"""

from __future__ import annotations

import ctypes
import pickle
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from pytest_ckpt.comparison.words import is_array, plain_repr
from pytest_ckpt.state import ObjectPicture
from pytest_ckpt.state.tensors import dense_parts

__all__ = ["StandIn", "as_plain_data", "decode", "encode"]

_ATOMS = frozenset((str, bytes, int, float, complex, bool, type(None), range, slice, bytearray))
_TORCH_ATOMS = (torch.dtype, torch.device, torch.Size)
_LIBRARIES = ("array", "datetime", "decimal", "fractions", "pathlib", "uuid", "zoneinfo")
_MAIN = {"__mp_main__": "__main__"}


@dataclass(frozen=True, slots=True)
class StandIn:
    """Stands for what does not cross.

    Attributes:
        kind: The qualified name of its class.
        value: Its own name, or what it shows of itself.
    """

    kind: str
    value: str

    def __repr__(self) -> str:
        return self.value


def encode(value: Any) -> bytes:
    """Return a value as bytes; what is not data becomes a :class:`StandIn`."""
    return pickle.dumps(_plain(value), protocol=5)


def decode(data: bytes) -> Any:
    """Return what was encoded. Only for what another process of ours has sent: it may run code."""
    return pickle.loads(data)


def as_plain_data(value: Any) -> Any:
    """Return a value as it looks to another process."""
    return decode(encode(value))


class _TensorBytes:
    """Becomes a tensor where it is unpickled."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def __reduce__(self) -> Any:
        dense = self.tensor.detach().contiguous()
        size = dense.numel() * dense.element_size()
        data = ctypes.string_at(dense.data_ptr(), size) if size else b""
        return _tensor_of, (data, dense.dtype, tuple(dense.shape))


def _tensor_of(data: bytes, dtype: torch.dtype, shape: tuple[int, ...]) -> torch.Tensor:
    if not data:
        return torch.empty(shape, dtype=dtype, device="cpu")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(dtype).reshape(shape)


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _ATOMS or isinstance(value, _TORCH_ATOMS):
        return value
    if isinstance(value, torch.Tensor):
        return _plain_tensor(value)
    if isinstance(value, Mapping):
        return _plain_mapping(value)
    if isinstance(value, list | tuple | set | frozenset | deque):
        items = [_plain(item) for item in value]
        return deque(items, value.maxlen) if isinstance(value, deque) else _container(kind)(items)
    if is_dataclass(kind) and kind.__module__.startswith("pytest_ckpt."):
        return kind(**{field.name: _plain(getattr(value, field.name)) for field in fields(kind)})
    if is_array(value):
        return (
            ObjectPicture(kind="array", attributes={"of": _plain(value.tolist())}) if value.dtype == object else value
        )
    if kind.__module__.split(".")[0] in _LIBRARIES:
        return value
    return _stand_in(value)


def _container(kind: type) -> Any:
    return next(plain for plain in (list, tuple, set, frozenset) if issubclass(kind, plain))


def _plain_mapping(value: Mapping[Any, Any]) -> dict[Any, Any]:
    items = {_plain(key): _plain(item) for key, item in value.items()}
    if not isinstance(value, OrderedDict):
        return items
    copied = OrderedDict(items)
    if (metadata := getattr(value, "_metadata", None)) is not None:
        copied._metadata = _plain(metadata)  # type: ignore[attr-defined]
    return copied


def _plain_tensor(tensor: torch.Tensor) -> Any:
    """Return a tensor's bytes; one of another kind than a plain dense one as the picture of its parts."""
    if is_lazy(tensor):
        return ObjectPicture(kind=type(tensor).__name__, attributes={})
    plain = type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.layout is torch.strided
    if plain and tensor.device.type == "cpu" and not (tensor.is_quantized or tensor.is_conj() or tensor.is_neg()):
        return _TensorBytes(tensor)
    parts = {name: _TensorBytes(part) if isinstance(part, torch.Tensor) else part for name, part in dense_parts(tensor)}
    return ObjectPicture(kind=f"{type(tensor).__name__} {tensor.dtype}", attributes=parts)


def _stand_in(value: Any) -> StandIn:
    kind = type(value)
    if isinstance(value, Enum):
        return StandIn(f"{_module(kind)}.{kind.__qualname__}", f"{kind.__qualname__}.{value.name}")
    if (name := getattr(value, "__qualname__", None)) is not None:
        return StandIn(kind.__qualname__, f"{_module(value)}.{name}")
    return StandIn(f"{_module(kind)}.{kind.__qualname__}", plain_repr(value))


def _module(value: Any) -> str:
    name = str(getattr(value, "__module__", ""))
    return _MAIN.get(name, name)
