"""What the functions that rebuild tensors, arrays and plain values would make, as stand-ins.

The functions are those of ``torch._utils``, ``torch._tensor``, ``numpy`` and Python's own ``copyreg`` as they stand in
files; they are known by name and never called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pytest_ckpt.inspection.contents import (
    ArrayInfo,
    Call,
    DtypeInfo,
    OrderedMapping,
    StorageInfo,
    Symbol,
    TensorInfo,
)

__all__ = ["ITEM_SIZES", "dtype_of_storage", "rebuild"]

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
        raise ValueError(f"{symbol} is no class of storages")
    return _STORAGES[name]


def rebuild(symbol: Symbol, args: tuple[Any, ...]) -> Any:
    """Return the stand-in of what a call would make; a :class:`Call` for what is not known."""
    module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(symbol.module, symbol.module)
    module = module.replace("numpy.core.", "numpy._core.")
    maker = _MAKERS.get(f"{module}.{symbol.name}")
    return Call(symbol, args) if maker is None else maker(*args)


def _tensor(storage: Any, offset: int, size: Any, strides: Any, requires_grad: Any = False, *_: Any) -> TensorInfo:
    if not isinstance(storage, StorageInfo):
        raise TypeError("a tensor is rebuilt from something that is no storage")
    return _checked(
        TensorInfo(
            dtype=storage.dtype,
            shape=tuple(size),
            strides=tuple(strides),
            offset=offset,
            requires_grad=bool(requires_grad),
            storages=(storage,),
        )
    )


def _tensor_v3(
    storage: Any, offset: int, size: Any, strides: Any, requires_grad: Any, hooks: Any, dtype: Any, *_: Any
) -> TensorInfo:
    return replace(_tensor(storage, offset, size, strides, requires_grad), dtype=_dtype_name(dtype))


def _quantized(storage: Any, offset: int, size: Any, strides: Any, quantizer: Any, *_: Any) -> TensorInfo:
    return replace(_tensor(storage, offset, size, strides), kind="quantized tensor")


def _parameter(data: Any, requires_grad: Any, *_: Any) -> Any:
    if not isinstance(data, TensorInfo):
        return data
    return replace(data, requires_grad=bool(requires_grad), kind="parameter")


def _sparse(layout: Any, parts: Any) -> TensorInfo:
    tensors = [part for part in parts if isinstance(part, TensorInfo)]
    sizes = [part for part in parts if isinstance(part, tuple)]
    shape = sizes[-1] if sizes else ()
    storages = tuple(storage for tensor in tensors for storage in tensor.storages)
    words = str(layout.args[0] if isinstance(layout, Call) and layout.args else layout)
    kind = f"{words.removeprefix('torch.')} tensor"
    return TensorInfo(dtype=tensors[-1].dtype, shape=tuple(shape), kind=kind, storages=storages)


def _from_type(function: Any, kind: Any, args: Any, state: Any) -> Any:
    made = rebuild(function, args) if isinstance(function, Symbol) else Call(function, args)
    plain = {"torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter"}
    return replace(made, kind=str(kind)) if isinstance(made, TensorInfo) and str(kind) not in plain else made


def _meta(dtype: Any, size: Any, strides: Any, requires_grad: Any) -> TensorInfo:
    return TensorInfo(
        dtype=_dtype_name(dtype),
        shape=tuple(size),
        strides=tuple(strides),
        requires_grad=bool(requires_grad),
        kind="meta tensor",
    )


def _from_array(data: Any, dtype: Any, device: Any, requires_grad: Any) -> TensorInfo:
    if not isinstance(data, ArrayInfo):
        raise TypeError("a tensor is rebuilt from something that is no array")
    storage = StorageInfo(key="", dtype=_dtype_name(dtype), numel=len(data.data), location=str(device), data=data.data)
    return TensorInfo(
        dtype=_dtype_name(dtype), shape=data.shape, requires_grad=bool(requires_grad), storages=(storage,)
    )


def _checked(tensor: TensorInfo) -> TensorInfo:
    numbers = (tensor.offset, *tensor.shape, *tensor.strides)
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError(f"a tensor has the sizes {tensor.shape}, strides {tensor.strides} and offset {tensor.offset}")
    if len(tensor.shape) != len(tensor.strides):
        raise ValueError(f"a tensor has {len(tensor.shape)} sizes and {len(tensor.strides)} strides")
    return tensor


def _dtype_name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _array_from_buffer(data: Any, dtype: Any, shape: Any, *_: Any) -> ArrayInfo:
    return ArrayInfo(str(dtype), tuple(shape), bytes(data))


def _encoded(text: Any, encoding: Any = "utf-8") -> bytes:
    if encoding not in ("latin1", "latin-1", "utf-8") or not isinstance(text, str):
        raise ValueError(f"bytes are spelled in the encoding {encoding!r}")
    return text.encode(encoding)


def _byte_array(value: Any = b"", encoding: Any = None) -> bytes:
    return _encoded(value, encoding) if encoding else bytes(value) if isinstance(value, bytes) else b""


_MAKERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_tensor_v3": _tensor_v3,
        "torch._utils._rebuild_qtensor": _quantized,
        "torch._utils._rebuild_parameter": _parameter,
        "torch._utils._rebuild_parameter_with_state": _parameter,
        "torch._utils._rebuild_sparse_tensor": _sparse,
        "torch._utils._rebuild_meta_tensor_no_storage": _meta,
        "torch._utils._rebuild_device_tensor_from_numpy": _from_array,
        "torch._utils._rebuild_xla_tensor": _from_array,
        "torch._tensor._rebuild_from_type": _from_type,
        "torch._tensor._rebuild_from_type_v2": _from_type,
        "torch.Size": lambda sizes=(): tuple(sizes),
        "collections.OrderedDict": lambda items=(): OrderedMapping(items),
        "collections.defaultdict": lambda factory=None, items=(): OrderedMapping(items),
        "collections.Counter": lambda items=(): OrderedMapping(items),
        "builtins.set": lambda items=(): set(items),
        "builtins.frozenset": lambda items=(): frozenset(items),
        "builtins.complex": lambda real=0.0, imaginary=0.0: complex(real, imaginary),
        "builtins.bytearray": _byte_array,
        "builtins.bytes": _byte_array,
        "_codecs.encode": _encoded,
        "numpy.dtype": lambda name, *_: DtypeInfo(str(name)),
        "numpy._core.multiarray._reconstruct": lambda *_: ArrayInfo(),
        "numpy._core.multiarray.scalar": lambda dtype, data=b"": ArrayInfo(
            str(dtype), (), data if isinstance(data, bytes) else b""
        ),
        "numpy._core.numeric._frombuffer": _array_from_buffer,
    }
)
