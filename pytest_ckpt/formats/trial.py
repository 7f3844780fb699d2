"""Finds what a format cannot keep by trying, so that the answer is right for the torch that is installed.

Ordinary tensors are tried once per dtype, with sixteen bytes; everything out of the ordinary is tried itself.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeAlias

import torch

from pytest_ckpt.formats.leaves import leaves
from pytest_ckpt.paths import Keys, spell

__all__ = ["Copy", "cannot_keep", "reason_to_refuse", "reason_to_refuse_objects"]

Copy: TypeAlias = Callable[[Any], Any]
"""Saves and loads one value in a format, without leaving anything behind."""


def reason_to_refuse(
    payload: dict[str, Any],
    *,
    name: str,
    copy: Copy,
    trusted: Copy | None = None,
) -> str | None:
    """Say what of a payload a format does not bring back unchanged.

    Args:
        payload: What is to be saved.
        name: The format's, for the sentence.
        copy: The format itself.
        trusted: The format without ``weights_only``, if it has that; tells whether that is the reason.
    """
    keeps_value = _keeps_value(payload, copy)
    for keys, leaf in leaves(payload):
        if _keeps_tensor(copy, leaf) if isinstance(leaf, torch.Tensor) else keeps_value(leaf):
            continue
        if trusted is not None and _survive(trusted, leaf):
            return f"weights_only loading refuses {_describe(leaf)} at {spell(keys)} (use 'torch-full')"
        if type(leaf) is torch.Tensor and leaf.requires_grad and _keeps_tensor(copy, leaf.detach()):
            return f"{name} cannot keep {_describe(leaf)} that requires gradients at {spell(keys)}"
        return cannot_keep(name, keys, leaf)
    return _clash(payload, name, copy)


def reason_to_refuse_objects(payload: dict[str, Any], *, name: str, copy: Copy) -> str | None:
    """Say which of a run's own objects cannot be copied through a format, and why."""
    for key, component in payload.items():
        try:
            copy(component)
        except Exception as error:
            # Addresses differ from run to run; a reason should not.
            cause = re.sub(r" at 0x[0-9a-f]+", "", str(error).partition("\n")[0])
            return f"{cannot_keep(name, (key,), component)} ({type(error).__name__}: {cause})"
    return None


def cannot_keep(name: str, keys: Keys, leaf: object) -> str:
    """Say that a format does not keep what is found under these keys."""
    return f"{name} cannot keep {_describe(leaf)} at {spell(keys)}"


def _keeps_value(payload: dict[str, Any], copy: Copy) -> Callable[[object], bool]:
    # All at once first: there may be thousands, and usually none is at fault.
    values = [leaf for _, leaf in leaves(payload) if not (isinstance(leaf, torch.Tensor) or _is_plain(leaf))]
    if _survive(copy, *values):
        return lambda leaf: True
    return lambda leaf: _is_plain(leaf) or _survive(copy, leaf)


def _is_plain(leaf: object) -> bool:
    # Protocol 0 writes floats as text, where every NaN is the same; weights_only knows no long integers.
    if isinstance(leaf, float):
        return type(leaf) is float and leaf == leaf
    if isinstance(leaf, int):
        return type(leaf) is bool or (type(leaf) is int and leaf.bit_length() < 64)
    return leaf is None or type(leaf) is str


def _keeps_tensor(copy: Copy, tensor: torch.Tensor) -> bool:
    if not _is_ordinary(tensor):
        return _survive(copy, tensor)
    # torch reads what requires gradients in another way, which some dtypes do not stand; parameters it does not.
    differentiated = tensor.requires_grad and type(tensor) is torch.Tensor
    return _keeps_dtype(copy, tensor.dtype, tensor.is_conj(), tensor.is_neg(), differentiated)


def _is_ordinary(tensor: torch.Tensor) -> bool:
    return (
        type(tensor) in (torch.Tensor, torch.nn.Parameter)
        and tensor.layout is torch.strided
        and not (tensor.is_nested or tensor.is_quantized or tensor.is_meta)
    )


@cache
def _keeps_dtype(copy: Copy, dtype: torch.dtype, conjugate: bool, negative: bool, differentiated: bool) -> bool:
    sample = _sample().view(dtype)
    if conjugate:
        sample = sample.conj()
    if negative:  # what is lost when a view is contiguous is not seen in one that must be copied first
        sample = torch.view_as_complex(sample[:2]).conj().imag
    return _survive(copy, sample.requires_grad_(differentiated))


@cache
def _keeps_both(copy: Copy, first: torch.dtype, second: torch.dtype) -> bool:
    storage = _sample()
    return _survive(copy, storage.view(first), storage.view(second))


def _sample() -> torch.Tensor:
    # Every byte is 1: a number in each dtype, and a valid bool.
    return torch.ones(16, dtype=torch.uint8)


def _survive(copy: Copy, *values: object) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls some dtypes and layouts experimental
        try:
            return [_bits(value) for value in copy(list(values))] == [_bits(value) for value in values]
        except Exception:
            return False


def _bits(value: object, above: tuple[int, ...] = ()) -> object:
    """Describe a value so that two of them are equal if one can stand for the other.

    Args:
        value: The value.
        above: What it is in, by id.
    """
    if isinstance(value, torch.Tensor) and _is_ordinary(value):
        plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
        return value.dtype, bytes(plain.untyped_storage())
    if isinstance(value, torch.Tensor):
        return type(value), value.dtype, value.layout, value.requires_grad
    if isinstance(value, (float, complex)):
        return type(value), struct.pack("<dd", value.real, value.imag)
    if id(value) in above:
        return type(value)
    return type(value), [_bits(part, (*above, id(value))) for part in _parts(value)]


def _parts(value: object) -> list[object]:
    """Return what is in an object that is copied item by item, attribute by attribute."""
    kind = type(value)
    if isinstance(value, list | tuple | deque):
        return list(value)
    if isinstance(value, Mapping):
        return list(value.values())
    if kind is SimpleNamespace:
        return list(vars(value).values())
    own_way = kind.__reduce_ex__ is not object.__reduce_ex__ or kind.__reduce__ is not object.__reduce__
    if own_way or kind.__getstate__ is not object.__getstate__ or hasattr(kind, "__setstate__"):
        return []  # It may leave out what it makes anew.
    return [] if isinstance(value, type) or callable(value) else list(getattr(value, "__dict__", {}).values())


def _clash(payload: dict[str, Any], name: str, copy: Copy) -> str | None:
    """Say which tensors cannot be kept together: torch.save wants one dtype for one storage."""
    seen: dict[int, tuple[torch.dtype, Keys]] = {}
    for keys, leaf in leaves(payload):
        if not (isinstance(leaf, torch.Tensor) and _is_ordinary(leaf) and leaf.untyped_storage().nbytes()):
            continue
        first, where = seen.setdefault(leaf.untyped_storage().data_ptr(), (leaf.dtype, keys))
        if first != leaf.dtype and not _keeps_both(copy, first, leaf.dtype):
            pair = f"{first} at {spell(where)} and {leaf.dtype} at {spell(keys)}"
            return f"{name} cannot keep {pair} on one storage"
    return None


def _describe(leaf: object) -> str:
    if isinstance(leaf, torch.Tensor):
        return _describe_tensor(leaf)
    if type(leaf) is int:
        return f"an integer of {leaf.bit_length()} bits"
    if isinstance(leaf, float) and leaf != leaf:
        return f"a NaN of the bits {struct.pack('>d', leaf).hex()}"
    if type(leaf) is bytes and not leaf:
        return "empty bytes"
    return _type_name(leaf)


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _describe_tensor(tensor: torch.Tensor) -> str:
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        return _type_name(tensor)
    if tensor.is_nested:
        return "the nested tensor"
    if tensor.layout is not torch.strided:
        first, *rest = str(tensor.layout).removeprefix("torch.").strip("_").split("_")
        return f"the {' '.join([first, *map(str.upper, rest)])} tensor"
    for flag, words in (
        (tensor.is_meta, "meta tensor"),
        (tensor.is_quantized, "quantized tensor"),
        (tensor.is_conj(), "conjugate view"),
        (tensor.is_neg(), "negative view"),
    ):
        if flag:
            return f"the {words}"
    return str(tensor.dtype)
