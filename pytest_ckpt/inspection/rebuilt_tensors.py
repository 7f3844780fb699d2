"""What the functions that rebuild tensors would make: those of ``torch._utils``, known by name and never called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from types import MappingProxyType
from typing import Any

from pytest_ckpt.inspection.contents import (
    ArrayInfo,
    Call,
    StorageInfo,
    StorageView,
    Symbol,
    TensorInfo,
    name_of,
)

__all__ = ["ITEM_SIZES", "TENSOR_MAKERS", "dtype_of_storage", "of_class"]

ITEM_SIZES: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(("bool", "int8", "uint8", "qint8", "quint8", "quint4x2", "quint2x4", "bits8"), 1),
        **dict.fromkeys(("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"), 1),
        **dict.fromkeys(("int4", "uint4", "float4_e2m1fn_x2", "bits1x8", "bits2x4", "bits4x2"), 1),
        **dict.fromkeys(("bfloat16", "bits16", "float16", "int16", "uint16"), 2),
        **dict.fromkeys(("chalf", "complex32", "float32", "int32", "qint32", "uint32"), 4),
        **dict.fromkeys(("complex64", "float64", "int64", "uint64"), 8),
        "complex128": 16,
    }
)
"""Bytes of an element, by torch's name of the dtype."""

_STORAGES = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
    "QInt8": "qint8",
    "QUInt8": "quint8",
    "QInt32": "qint32",
    "QUInt4x2": "quint4x2",
    "QUInt2x4": "quint2x4",
    "Untyped": "uint8",
}


def dtype_of_storage(symbol: Any) -> str:
    """Return what a storage class holds, such as ``float32`` for ``torch.FloatStorage``.

    Raises:
        ValueError: If it is no storage class.
    """
    name = symbol.name.removesuffix("Storage") if isinstance(symbol, Symbol) else ""
    if name not in _STORAGES:
        raise ValueError(f"{name_of(symbol)} is no class of storages")
    return _STORAGES[name]


def _tensor(
    storage: Any, offset: Any, size: Any, strides: Any, requires_grad: Any = False, hooks: Any = None, marks: Any = None
) -> TensorInfo:
    if isinstance(storage, StorageView):
        storage, offset = storage.storage, offset + storage.offset
    if not isinstance(storage, StorageInfo):
        raise TypeError("a tensor is rebuilt from something that is no storage")
    marks = marks if isinstance(marks, dict) else {}
    made = TensorInfo(
        dtype=storage.dtype,
        shape=tuple(size),
        strides=tuple(strides),
        offset=offset,
        requires_grad=requires_grad is True,
        storages=(storage,),
        conjugate=marks.get("conj") is True,
        negative=marks.get("neg") is True,
    )
    return _checked(made)


def _tensor_v3(
    storage: Any, offset: Any, size: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, marks: Any = None
) -> TensorInfo:
    return replace(_tensor(storage, offset, size, strides, grad, hooks, marks), dtype=_dtype_name(dtype))


def _quantized(
    storage: Any, offset: Any, size: Any, strides: Any, quantizer: Any, grad: Any = False, *_: Any
) -> TensorInfo:
    whole = _tensor(storage, offset, size, strides, grad)
    scheme, scale, zero_point, *axis = quantizer
    if isinstance(scale, TensorInfo) and isinstance(zero_point, TensorInfo):
        words = f"{_dtype_name(scheme)}, axis {', '.join(map(name_of, axis))}"
        return _of_parts(replace(whole, kind=f"quantized {words}"), (whole, scale, zero_point))
    if not isinstance(scale, float) or not isinstance(zero_point, int):
        raise TypeError("a scale is no number")
    return replace(whole, kind=f"quantized {_dtype_name(scheme)}, scale {scale!r}, zero point {name_of(zero_point)}")


def _of_parts(whole: TensorInfo, parts: tuple[TensorInfo, ...]) -> TensorInfo:
    parts = tuple(part for part in parts if part.storages)
    # Parts that hold parts that hold parts, each of them twice, would be looked at forever.
    if sum(len(part.storages) for part in parts) > _MOST_PARTS:
        raise ValueError(f"a tensor consists of more than {_MOST_PARTS} others")
    return replace(whole, parts=parts, storages=tuple(storage for part in parts for storage in part.storages))


def _parameter(data: Any, requires_grad: Any, *_: Any) -> Any:
    if not isinstance(data, TensorInfo):
        return data
    kind = "parameter" if data.kind == "tensor" else data.kind
    return replace(data, requires_grad=requires_grad is True, kind=kind)


def _sparse(layout: Any, data: Any) -> TensorInfo:
    parts = tuple(part for part in data if isinstance(part, TensorInfo))
    sizes = [part for part in data if isinstance(part, tuple)]
    words = name_of(layout.args[0] if isinstance(layout, Call) and layout.args else layout)
    if not parts or not sizes:
        raise TypeError("a sparse tensor has no values or no shape")
    whole = TensorInfo(dtype=parts[-1].dtype, shape=sizes[-1], kind=f"{words.removeprefix('torch.')} tensor")
    return _of_parts(_checked(whole), parts)


def _nested(*data: Any) -> TensorInfo:
    parts = tuple(part for part in data if isinstance(part, TensorInfo))
    if len(parts) != len(data) or len(parts) < 2:
        raise TypeError("a nested tensor is made of something else than tensors")
    buffer, sizes, *_ = parts
    return _of_parts(
        TensorInfo(dtype=buffer.dtype, shape=buffer.shape, kind=f"nested tensor of {sizes.shape[:1]}"), parts
    )


_PLAIN_CLASSES = ("torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter")


def _of_state(made: TensorInfo, state: Any) -> TensorInfo:
    """Add the tensors among the attributes of a tensor of a class of its own; a DTensor holds its part there."""
    attributes = state if isinstance(state, tuple) else (state,)  # __dict__, and what stands in __slots__
    values = [value for item in attributes[:2] if isinstance(item, dict) for value in item.values()]
    inner = tuple(value for value in values if isinstance(value, TensorInfo))
    own = (replace(made, kind="tensor"),) if made.storages else ()
    return _of_parts(made, (*own, *inner)) if inner else made


def _wrapper(kind: Any, dtype: Any, size: Any, strides: Any, offset: Any, layout: Any, device: Any, grad: Any) -> Any:
    return replace(_meta(dtype, size, strides, grad), kind=name_of(kind))


def _meta(dtype: Any, size: Any, strides: Any, requires_grad: Any) -> TensorInfo:
    made = TensorInfo(
        dtype=_dtype_name(dtype),
        shape=tuple(size),
        strides=tuple(strides),
        requires_grad=requires_grad is True,
        kind="meta tensor",
    )
    return _checked(made)


def _from_array(data: Any, dtype: Any, device: Any, requires_grad: Any) -> TensorInfo:
    if not isinstance(data, ArrayInfo):
        raise TypeError("a tensor is rebuilt from something that is no array")
    kind = _dtype_name(dtype)
    count = len(data.data) // ITEM_SIZES[kind]
    storage = StorageInfo(key="", dtype=kind, numel=count, location=name_of(device), data=data.data)
    made = TensorInfo(dtype=kind, shape=data.shape, requires_grad=requires_grad is True, storages=(storage,))
    return _checked(replace(made, strides=_row_by_row(data.shape)))


def _from_cpu(data: Any, dtype: Any, device: Any, requires_grad: Any) -> Any:
    return replace(data, requires_grad=requires_grad is True) if isinstance(data, TensorInfo) else data


def _row_by_row(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _checked(tensor: TensorInfo) -> TensorInfo:
    numbers = (tensor.offset, *tensor.shape, *tensor.strides)
    if not all(type(number) is int and 0 <= number < _MOST for number in numbers):
        raise ValueError("a tensor's sizes, strides or offset are no sizes")
    if tensor.strides and len(tensor.shape) != len(tensor.strides):
        raise ValueError(f"a tensor has {len(tensor.shape)} sizes and {len(tensor.strides)} strides")
    if len(tensor.shape) > _DIMENSIONS or prod(tensor.shape) >= _MOST:
        raise ValueError("a tensor is larger than any can be")
    return tensor


_MOST = 1 << 63
_DIMENSIONS = 1000
_MOST_PARTS = 100


def _dtype_name(dtype: Any) -> str:
    return name_of(dtype).removeprefix("torch.")


def of_class(made: Any, kind: Any, state: Any) -> Any:
    """Return a rebuilt tensor as one of a class of its own, with the tensors among its attributes."""
    if not isinstance(made, TensorInfo) or name_of(kind) in _PLAIN_CLASSES:
        return made
    return _of_state(replace(made, kind=name_of(kind)), state)


TENSOR_MAKERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_tensor_v3": _tensor_v3,
        "torch._utils._rebuild_qtensor": _quantized,
        "torch._utils._rebuild_parameter": _parameter,
        "torch._utils._rebuild_parameter_with_state": _parameter,
        "torch._utils._rebuild_sparse_tensor": _sparse,
        "torch._utils._rebuild_meta_tensor_no_storage": _meta,
        "torch._utils._rebuild_nested_tensor": _nested,
        "torch._utils._rebuild_wrapper_subclass": _wrapper,
        "torch._utils._rebuild_device_tensor_from_cpu_tensor": _from_cpu,
        "torch._utils._rebuild_device_tensor_from_numpy": _from_array,
        "torch._utils._rebuild_xla_tensor": _from_array,
    }
)
"""By the name that stands in files."""
