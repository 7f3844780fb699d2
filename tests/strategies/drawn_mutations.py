"""One change of a payload, made in a copy: a bit of a tensor, a leaf, an item, a key."""

from __future__ import annotations

import copy
import io
import struct
from argparse import Namespace
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from pytest_ckpt.strategies.state.samples import Settings

_OBJECTS = (Settings, Namespace, SimpleNamespace)
_PARTS = {torch.strided: "detach", torch.sparse_coo: "_values"}


def rebuilt(value: Any) -> Any:
    """Return an equal value that was put together anew, as loading does."""
    # Not by copy.deepcopy: compressed tensors have none, and of parameters and negated views it has other strides.
    return copy.deepcopy(value, {id(tensor): _copied(tensor) for tensor in _tensors(value)})


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    for _, child in _children(value):
        yield from _tensors(child)


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    torch.save(tensor.detach(), buffer := io.BytesIO())
    buffer.seek(0)
    copied: torch.Tensor = torch.load(buffer)
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(copied, requires_grad=tensor.requires_grad)
    return copied.requires_grad_(tensor.requires_grad)


@st.composite
def mutated(draw: st.DrawFn, payload: Any) -> Any:
    """Generate copies of a payload that differ from it in one thing; an empty one gets something to hold."""
    keys, traits = draw(st.sampled_from(list(_places(payload))))
    return _replaced(payload, keys, lambda value: draw(st.sampled_from(_changes(value, traits)))(draw, rebuilt(value)))


def _places(value: Any, keys: tuple[Any, ...] = (), traits: bool = True) -> Iterator[tuple[tuple[Any, ...], bool]]:
    """Yield keys, and whether what a tensor is beside its values counts there: in an object it does not."""
    yield keys, traits
    for key, child in _children(value):
        yield from _places(child, (*keys, key), traits and not isinstance(value, _OBJECTS))


def _children(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple | deque) and not isinstance(value, torch.Size):
        yield from enumerate(value)
    elif isinstance(value, _OBJECTS):
        yield from vars(value).items()


def _replaced(value: Any, keys: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    if not keys:
        return change(value)
    key, *rest = keys
    child = _replaced(getattr(value, key) if isinstance(value, _OBJECTS) else value[key], tuple(rest), change)
    if isinstance(value, tuple):
        items = [child if index == key else item for index, item in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    changed = copy.copy(value)
    if isinstance(value, _OBJECTS):
        setattr(changed, key, child)
    else:
        changed[key] = child
    return changed


_Change = Callable[[st.DrawFn, Any], Any]


def _changes(value: Any, traits: bool) -> list[_Change]:
    """Return what can be changed about a value, so that it is another one."""
    if isinstance(value, torch.Tensor):
        rules = _TENSOR_CHANGES + (_TRAIT_CHANGES if traits else [])
        return [change for applies, change in rules if applies(value)]
    if isinstance(value, np.ndarray | np.generic):
        return [_flip_array] if value.nbytes else [lambda draw, array: array[None]]
    for kinds, changes in _CHANGES:
        if isinstance(value, kinds):
            return changes
    return [lambda draw, thing: "something else"]


def _flip(draw: st.DrawFn, content: bytes) -> bytes:
    at = draw(st.integers(0, 8 * len(content) - 1))
    flipped = bytearray(content)
    flipped[at // 8] ^= 1 << at % 8
    return bytes(flipped)


def _flip_float(draw: st.DrawFn, value: float) -> float:
    (number,) = struct.unpack("<d", _flip(draw, struct.pack("<d", value)))
    return float(number)


def _flip_complex(draw: st.DrawFn, value: complex) -> complex:
    return complex(*struct.unpack("<dd", _flip(draw, struct.pack("<dd", value.real, value.imag))))


def _flip_array(draw: st.DrawFn, array: Any) -> Any:
    bits = bytes([array.tobytes()[0] ^ 1]) + array.tobytes()[1:]
    if array.dtype != bool:
        bits = _flip(draw, array.tobytes())
    flipped = np.frombuffer(bits, array.dtype).reshape(array.shape)
    return flipped.copy() if isinstance(array, np.ndarray) else flipped[()]


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    """Return the part of a tensor that holds its elements, on the same storage."""
    part: torch.Tensor = getattr(tensor.detach(), _PARTS.get(tensor.layout, "values"))()
    return part


def _flip_tensor(draw: st.DrawFn, tensor: torch.Tensor) -> torch.Tensor:
    dense = _dense(tensor)
    place = [draw(st.integers(0, size - 1)) for size in dense.shape]
    element = dense.storage_offset() + sum(at * stride for at, stride in zip(place, dense.stride(), strict=True))
    content = torch.empty(0, dtype=torch.uint8).set_(dense.untyped_storage())
    bit = 0 if dense.dtype is torch.bool else draw(st.integers(0, 8 * dense.element_size() - 1))
    content[element * dense.element_size() + bit // 8] ^= 1 << bit % 8
    return tensor


def _drop(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict):
        value = copy.copy(value)
        value.popitem()
        return value
    return type(value)(list(value)[:-1])


def _can_flip(tensor: torch.Tensor) -> bool:
    return _dense(tensor).numel() > 0


def _with_gradient(tensor: torch.Tensor) -> bool:
    return tensor.dtype.is_floating_point or tensor.dtype.is_complex


_TENSOR_CHANGES: list[tuple[Callable[[torch.Tensor], bool], _Change]] = [
    (_can_flip, _flip_tensor),
    (lambda tensor: tensor.layout is torch.strided and not tensor.is_quantized, lambda draw, tensor: tensor[None]),
    (lambda tensor: True, lambda draw, tensor: None),
]
_TRAIT_CHANGES: list[tuple[Callable[[torch.Tensor], bool], _Change]] = [
    (_with_gradient, lambda draw, tensor: tensor.requires_grad_(not tensor.requires_grad)),
    (lambda tensor: type(tensor) is torch.nn.Parameter, lambda draw, tensor: tensor.data),
]
_CHANGES: list[tuple[Any, list[_Change]]] = [
    (bool, [lambda draw, value: not value, lambda draw, value: int(value)]),
    (Enum, [lambda draw, value: next(other for other in type(value) if other is not value)]),
    (int, [lambda draw, value: value + 1, lambda draw, value: value ^ 1 << draw(st.integers(0, 70)), lambda *_: None]),
    (float, [_flip_float]),
    (complex, [_flip_complex]),
    (str, [lambda draw, value: value + " "]),
    (bytes, [lambda draw, value: value + b"\0", lambda draw, value: bytearray(value)]),
    (dict, [lambda draw, value: {**value, "added": 0}, lambda draw, value: _drop(draw, value) if value else None]),
    (tuple, [lambda draw, value: list(value), lambda draw, value: (*value, None)]),
    (list, [lambda draw, value: [*value, None], lambda draw, value: _drop(draw, value) if value else ()]),
    (deque, [lambda draw, value: deque(value, 7)]),
    (set | frozenset, [lambda draw, value: value | {"added"}, lambda draw, value: _other_member(value)]),
]


def _other_member(members: Any) -> Any:
    """Put a number of another type, equal to the first one that is there, in its place."""
    for member in members:
        if type(member) is int and abs(member) < 2**53:
            return type(members)([*(other for other in members if other is not member), float(member)])
    return type(members)([*members, "added"])
