"""Two tensors, bit for bit: a memcmp where both are plain, their dense parts otherwise."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from typing import Any, TypeAlias

import torch

from pytest_ckpt.comparison.diff import Kind, Mismatch
from pytest_ckpt.comparison.rounding import rounded_to
from pytest_ckpt.paths import Keys, spell
from pytest_ckpt.state.tensors import dense_parts, describe_tensor, is_initialized

__all__ = ["compare_tensors", "tensors_differ"]

_Part: TypeAlias = "tuple[str, Any, Any]"

_memcmp = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None).memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_memcmp.restype = ctypes.c_int

_PLAIN = (torch.Tensor, torch.nn.Parameter)
_QUANTIZED = (torch.qint8, torch.quint8, torch.qint32, torch.quint4x2, torch.quint2x4)
# A scale or a conjugate bit says what the bytes mean.
_MORE_THAN_BYTES = frozenset((*_QUANTIZED, torch.complex32, torch.complex64, torch.complex128))
_CHUNK = 1 << 20
_INTEGER_OF_SIZE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def compare_tensors(expected: torch.Tensor, actual: torch.Tensor, keys: Keys, *, traits: bool) -> tuple[Mismatch, ...]:
    """Return what differs between two tensors; the first of dtype, shape, layout and value, and all traits."""
    if expected is actual:
        return ()
    if _are_plainly_alike(expected, actual):
        return () if _same_memory(expected, actual) else (_value_mismatch(expected, ("", expected, actual), keys),)
    kind: Kind | None = None
    if expected.dtype is not actual.dtype:
        kind = "dtype"
    elif expected.layout is not actual.layout or expected.is_nested != actual.is_nested:
        kind = "layout"
    elif is_initialized(expected) != is_initialized(actual):
        kind = "type"
    elif not expected.is_nested and is_initialized(expected) and expected.shape != actual.shape:
        kind = "shape"
    if kind is not None:
        return (_mismatch(kind, keys, describe_tensor(expected), describe_tensor(actual)),)
    part = _first_other_part(expected, actual)
    found = () if part is None else (_value_mismatch(expected, part, keys),)
    return (*found, *_trait_mismatches(expected, actual, keys)) if traits else found


def tensors_differ(expected: torch.Tensor, actual: torch.Tensor, *, traits: bool) -> bool:
    """Whether :func:`compare_tensors` would find anything; what it would say of it is not put together."""
    if _are_plainly_alike(expected, actual):
        return not _same_memory(expected, actual)
    return bool(compare_tensors(expected, actual, (), traits=traits))


def _are_plainly_alike(expected: torch.Tensor, actual: torch.Tensor) -> bool:
    """Whether nothing but values can differ, and a memcmp tells: so it is with nearly all of a large state.

    The order matters: it is the quickest that is right for every kind of tensor.
    """
    return (
        type(expected) is type(actual)
        and type(expected) in _PLAIN
        and expected.dtype is actual.dtype
        and expected.layout is torch.strided
        and actual.layout is torch.strided
        and not (expected.is_nested or actual.is_nested)
        and expected.shape == actual.shape
        and expected.is_cpu
        and expected.device == actual.device
        and expected.requires_grad is actual.requires_grad
        and expected.is_contiguous()
        and actual.is_contiguous()
        and expected.dtype not in _MORE_THAN_BYTES
        and not (expected.is_neg() or actual.is_neg())
    )


def _same_memory(expected: torch.Tensor, actual: torch.Tensor) -> bool:
    left, right = expected.data_ptr(), actual.data_ptr()
    return left == right or not _memcmp(left, right, expected.nbytes)


def _first_other_part(expected: torch.Tensor, actual: torch.Tensor) -> _Part | None:
    left, right = list(dense_parts(expected)), list(dense_parts(actual))
    names, other_names = (", ".join(name.removeprefix(".") or "data" for name, _ in parts) for parts in (left, right))
    if names != other_names:
        return "made of other parts", names, other_names
    for (name, one), (_, other) in zip(left, right, strict=True):
        if isinstance(one, str) or isinstance(other, str):
            if one != other:
                return name, one, other
        elif (one.dtype, one.shape) != (other.dtype, other.shape) or not _same_memory(one, other):
            return name, one, other
    return None


def _value_mismatch(expected: torch.Tensor, part: _Part, keys: Keys) -> Mismatch:
    name, one, other = part
    if isinstance(one, str) or isinstance(other, str) or one.shape != other.shape or one.dtype != other.dtype:
        saved, loaded = (item if isinstance(item, str) else describe_tensor(item) for item in (one, other))
        return _mismatch("value", keys, saved, loaded, name.removeprefix("."))
    if one.numel() == 1 and not name:
        saved, loaded = _element(one, 0), _element(other, 0)
        detail = "the same number in other bits" if saved == loaded else _rounding(one, other)
        return _mismatch("value", keys, saved, loaded, detail)
    where = f"in its {name.removeprefix('.')}: " if name else ""
    text = describe_tensor(expected)
    details = where + _count_differences(one, other), _rounding(one, other)
    return _mismatch("value", keys, text, text, "; ".join(filter(None, details)))


def _rounding(one: torch.Tensor, other: torch.Tensor) -> str:
    dtype = rounded_to(one, other)
    return f"rounded to {dtype}" if dtype else ""


def _count_differences(one: torch.Tensor, other: torch.Tensor) -> str:
    """Say how many elements differ and where the first one is, with both values."""
    left, right = _as_integers(one), _as_integers(other)
    count = first = 0
    for start in range(0, len(left), _CHUNK):  # In chunks, for the sake of memory.
        differs = (left[start : start + _CHUNK] != right[start : start + _CHUNK]).any(dim=1)
        found = int(differs.sum())
        if found and not count:
            first = start + int(differs.to(torch.uint8).argmax())
        count += found
    saved, loaded = (_element(tensor, first) for tensor in (one, other))
    place = _place(first, one.shape)
    return f"{count} of {one.numel()} elements differ, first at {place}: {saved} became {loaded}"


def _place(index: int, shape: torch.Size) -> list[int]:
    place = []
    for size in reversed(shape):
        index, position = divmod(index, size)
        place.append(position)
    return place[::-1]


def _element(tensor: torch.Tensor, index: int) -> str:
    element = tensor.flatten()[index]
    try:
        return repr(element.item())
    except NotImplementedError:  # dtypes without arithmetic, such as float4
        return f"bits {bytes(element.reshape(1).view(torch.uint8).tolist()).hex()}"


def _as_integers(tensor: torch.Tensor) -> torch.Tensor:
    """Return the bits of each element as a row of integers: one, or two where no integer is as large."""
    flat = tensor.detach().contiguous().flatten()
    return flat.view(_INTEGER_OF_SIZE.get(flat.element_size(), torch.int64)).reshape(len(flat), -1)


def _trait_mismatches(expected: torch.Tensor, actual: torch.Tensor, keys: Keys) -> Iterator[Mismatch]:
    if type(expected) is not type(actual):
        yield _mismatch("class", keys, type(expected).__name__, type(actual).__name__)
    if expected.requires_grad != actual.requires_grad:
        yield _mismatch("requires_grad", keys, str(expected.requires_grad), str(actual.requires_grad))
    if expected.device != actual.device:
        yield _mismatch("device", keys, str(expected.device), str(actual.device))
    strided = expected.layout is torch.strided and not expected.is_nested and is_initialized(expected)
    if strided and expected.numel() and _strides(expected) != _strides(actual):
        yield _mismatch("strides", keys, str(expected.stride()), str(actual.stride()))


def _strides(tensor: torch.Tensor) -> list[int]:
    # The stride of a dimension of size 1 says nothing of where elements are.
    return [stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1]


def _mismatch(kind: Kind, keys: Keys, expected: str, actual: str, detail: str = "") -> Mismatch:
    return Mismatch(path=spell(keys), kind=kind, expected=expected, actual=actual, detail=detail, tensor=True)
