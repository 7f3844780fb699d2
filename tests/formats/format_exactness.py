"""What a payload looks like down to the bits, as plain Python, so that ``==`` is the comparison."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from pytest_ckpt.formats import Keeps

NOTHING = Keeps(0)


def picture(value: object, keeps: Keeps = NOTHING) -> Any:
    """Return what must be equal before saving and after loading, for a format that keeps this much."""
    return _picture(value, keeps, {})


def _picture(value: object, keeps: Keeps, storages: dict[int, int]) -> Any:
    if isinstance(value, torch.Tensor):
        if is_lazy(value):
            return type(value), value.dtype
        return _tensor(value, keeps, storages)
    if isinstance(value, (float, complex)):
        return type(value), struct.pack("<dd", value.real, value.imag)
    if isinstance(value, Mapping):
        items = [(_picture(k, keeps, storages), _picture(v, keeps, storages)) for k, v in value.items()]
        attributes = dict(getattr(value, "__dict__", {}))
        if Keeps.METADATA not in keeps:
            attributes.pop("_metadata", None)
        return type(value), items, _picture(attributes, keeps, storages) if attributes else None
    if isinstance(value, (list, tuple)):
        return type(value), [_picture(item, keeps, storages) for item in value]
    if isinstance(value, int):
        return type(value), hex(value)  # Python writes no decimal number of thousands of digits
    if callable(value) and not isinstance(value, type):
        return value(20)  # the only functions in the payloads take a number
    return type(value), repr(value)


def _tensor(tensor: torch.Tensor, keeps: Keeps, storages: dict[int, int]) -> Any:
    traits: list[Any] = []
    dense = tensor.layout is torch.strided and not tensor.is_nested
    if Keeps.STRIDES in keeps and dense:
        traits.append(tensor.stride())
    if Keeps.REQUIRES_GRAD in keeps:
        traits.append(tensor.requires_grad)
    if Keeps.PARAMETERS in keeps:
        traits.append(isinstance(tensor, torch.nn.Parameter))
    if Keeps.SUBCLASSES in keeps:
        traits += [type(tensor), sorted(vars(tensor).items())]
    if Keeps.SHARING in keeps and dense and not tensor.is_meta:
        storage = tensor.untyped_storage()
        traits.append(storages.setdefault(storage.data_ptr(), len(storages)) if len(storage) else None)
    return tensor.dtype, tensor.layout, _content(tensor.detach()), traits


def _content(tensor: torch.Tensor) -> Any:
    if tensor.is_nested:
        return [_content(part) for part in tensor.unbind()]
    if tensor.is_meta:
        return tensor.shape
    if tensor.layout is torch.sparse_coo:
        return tensor.shape, tensor.is_coalesced(), _content(tensor._indices()), _content(tensor._values())
    if tensor.layout is torch.sparse_csc:
        columns = (tensor.ccol_indices(), tensor.row_indices(), tensor.values())
        return tensor.shape, [_content(part) for part in columns]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        parts = (tensor.crow_indices(), tensor.col_indices(), tensor.values())
        return tensor.shape, [_content(part) for part in parts]
    if tensor.is_quantized and tensor.qscheme() == torch.per_tensor_affine:
        return tensor.q_scale(), tensor.q_zero_point(), _content(tensor.int_repr())
    if tensor.is_quantized:
        parts = (tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points(), tensor.int_repr())
        return tensor.q_per_channel_axis(), [_content(part) for part in parts]
    # Cloned, because a view's storage is larger than the view.
    plain = tensor.resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)
    return tensor.shape, bytes(plain.untyped_storage())
