"""Two tensors, bit for bit: a memcmp where both are plain, their dense parts otherwise."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from typing import Any

import torch

from pytest_ckpt.comparison.diff import Kind, Mismatch
from pytest_ckpt.state.paths import Keys, spell
from pytest_ckpt.state.tensors import dense_parts, describe_tensor, is_initialized

__all__ = ["compare_tensors"]

_memcmp = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None).memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_memcmp.restype = ctypes.c_int

_PLAIN = (torch.Tensor, torch.nn.Parameter)
_INTEGER_OF_SIZE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def compare_tensors(expected: torch.Tensor, actual: torch.Tensor, keys: Keys, *, traits: bool) -> tuple[Mismatch, ...]:
    """Return what differs between two tensors; the first of dtype, shape, layout and value, and all traits."""
    if expected is actual:
        return ()
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
    found = () if _same_bits(expected, actual) else (_value_mismatch(expected, actual, keys),)
    return (*found, *_trait_mismatches(expected, actual, keys)) if traits else found


def _same_bits(expected: torch.Tensor, actual: torch.Tensor) -> bool:
    if _is_flat(expected) and _is_flat(actual):
        return _same_memory(expected, actual)
    return _first_other_part(expected, actual) is None


def _is_flat(tensor: torch.Tensor) -> bool:
    """Whether a tensor's bytes lie in one run, in logical order, in this process's memory."""
    return (
        type(tensor) in _PLAIN
        and tensor.is_cpu
        and tensor.layout is torch.strided
        and tensor.is_contiguous()
        and not (tensor.is_nested or tensor.is_quantized or tensor.is_conj() or tensor.is_neg())
    )


def _same_memory(expected: torch.Tensor, actual: torch.Tensor) -> bool:
    left, right = expected.data_ptr(), actual.data_ptr()
    if left == right:
        return True
    return not _memcmp(left, right, expected.nbytes)


def _first_other_part(expected: torch.Tensor, actual: torch.Tensor) -> tuple[str, Any, Any] | None:
    left, right = list(dense_parts(expected)), list(dense_parts(actual))
    names, other_names = (", ".join(name.lstrip(".") or "data" for name, _ in parts) for parts in (left, right))
    if names != other_names:
        return "made of other parts", names, other_names
    for (name, one), (_, other) in zip(left, right, strict=True):
        if isinstance(one, str) or isinstance(other, str):
            if one != other:
                return name, one, other
        elif (one.dtype, one.shape) != (other.dtype, other.shape) or not _same_memory(one, other):
            return name, one, other
    return None


def _value_mismatch(expected: torch.Tensor, actual: torch.Tensor, keys: Keys) -> Mismatch:
    name, one, other = _first_other_part(expected, actual) or ("", expected, actual)
    if isinstance(one, str):
        return _mismatch("value", keys, one, str(other), name.lstrip("."))
    if one.shape != other.shape or one.dtype != other.dtype:
        return _mismatch("value", keys, describe_tensor(one), describe_tensor(other), name.lstrip("."))
    if one.numel() == 1 and not name:
        saved, loaded = repr(one.item()), repr(other.item())
        detail = "the same number in other bits" if saved == loaded else ""
        return _mismatch("value", keys, saved, loaded, detail)
    part = f"in its {name.lstrip('.')}: " if name else ""
    text = describe_tensor(expected)
    return _mismatch("value", keys, text, text, part + _count_differences(one, other))


def _count_differences(one: torch.Tensor, other: torch.Tensor) -> str:
    """Say how many elements differ and where the first one is, with both values."""
    differs = (_as_integers(one) != _as_integers(other)).reshape(one.numel(), -1).any(dim=1)
    first = int(differs.to(torch.uint8).argmax())
    place = [int(i) for i in torch.unravel_index(differs.to(torch.uint8).argmax(), one.shape)]
    saved, loaded = (_element(tensor, first) for tensor in (one, other))
    return f"{int(differs.sum())} of {one.numel()} elements differ, first at {place}: {saved} became {loaded}"


def _element(tensor: torch.Tensor, index: int) -> str:
    element = tensor.flatten()[index]
    try:
        return repr(element.item())
    except NotImplementedError:  # dtypes without arithmetic, such as float4
        return f"bits {element.view(torch.uint8).item():#04x}"


def _as_integers(tensor: torch.Tensor) -> torch.Tensor:
    flat = tensor.detach().contiguous().flatten()
    size = flat.element_size()
    # complex128 has no integer of its size: two int64 stand for one element.
    return flat.view(_INTEGER_OF_SIZE.get(size, torch.int64))


def _trait_mismatches(expected: torch.Tensor, actual: torch.Tensor, keys: Keys) -> Iterator[Mismatch]:
    if type(expected) is not type(actual):
        yield _mismatch("class", keys, type(expected).__name__, type(actual).__name__)
    if expected.requires_grad != actual.requires_grad:
        yield _mismatch("requires_grad", keys, str(expected.requires_grad), str(actual.requires_grad))
    if expected.device != actual.device:
        yield _mismatch("device", keys, str(expected.device), str(actual.device))
    if expected.layout is torch.strided and not expected.is_nested and is_initialized(expected):
        if _strides(expected) != _strides(actual) and expected.numel() > 1:
            yield _mismatch("strides", keys, str(expected.stride()), str(actual.stride()))


def _strides(tensor: torch.Tensor) -> list[int]:
    # The stride of a dimension of size 1 says nothing of where elements are.
    return [stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1]


def _mismatch(kind: Kind, keys: Keys, expected: str, actual: str, detail: str = "") -> Mismatch:
    return Mismatch(path=spell(keys), kind=kind, expected=expected, actual=actual, detail=detail, tensor=True)
