"""What the functions that rebuild tensors, arrays and plain values would make, as stand-ins.

The functions are those of ``torch._utils``, ``torch._tensor``, ``numpy`` and Python's own ``copyreg`` as they stand in
files; they are known by name and never called.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pytest_ckpt.inspection.contents import ArrayInfo, Call, DtypeInfo, Symbol, name_of
from pytest_ckpt.inspection.rebuilt_tensors import TENSOR_MAKERS, of_class

__all__ = ["rebuild"]


class _OrderedMapping(OrderedDict[Any, Any]):
    """A ``collections.OrderedDict`` of a file, with the attributes it had, such as a state dict's ``_metadata``."""

    attributes: Any = None

    def build(self, state: Any) -> None:
        """Take the attributes."""
        self.attributes = state


def rebuild(symbol: Symbol, args: tuple[Any, ...]) -> Any:
    """Return the stand-in of what a call would make; a :class:`Call` for what is not known."""
    module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(symbol.module, symbol.module)
    module = module.replace("numpy.core.", "numpy._core.")
    maker = _MAKERS.get(f"{module}.{symbol.name}")
    return Call(symbol, args) if maker is None else maker(*args)


def _from_type(function: Any, kind: Any, args: Any, state: Any) -> Any:
    made = rebuild(function, args) if isinstance(function, Symbol) else Call(function, args)
    return of_class(made, kind, state)


def _array_from_buffer(data: Any, dtype: Any, shape: Any, order: Any = "C", *_: Any) -> ArrayInfo:
    made = ArrayInfo()
    made.build((shape, dtype, order == "F", data))
    return made


def _scalar(dtype: Any, data: Any = b"") -> ArrayInfo:
    made = ArrayInfo()
    made.build(((), dtype, False, data))
    return made


def _array_of_dill(function: Any, args: Any, state: Any, *_: Any) -> ArrayInfo:
    made = ArrayInfo()
    made.build(state)
    return made


def _encoded(text: Any, encoding: Any = "utf-8") -> bytes:
    if encoding not in ("latin1", "latin-1", "utf-8") or not isinstance(text, str):
        raise ValueError("bytes are spelled in an encoding of their own")
    return text.encode(encoding)


def _byte_array(value: Any = b"", encoding: Any = None) -> bytes:
    return _encoded(value, encoding) if encoding else bytes(value) if isinstance(value, bytes) else b""


def _mapping(items: Any = ()) -> _OrderedMapping:
    made = _OrderedMapping()
    pairs = items.items() if isinstance(items, dict) else items
    for key, value in pairs:
        made[key if isinstance(key, str | int | float | Symbol) or key is None else _shallow(key)] = value
    return made


def _shallow(key: Any) -> Any:
    if isinstance(key, tuple | frozenset) and any(isinstance(part, tuple | frozenset) for part in key):
        raise ValueError("a key is nested too deep")
    return key


_MAKERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **TENSOR_MAKERS,
        "torch._tensor._rebuild_from_type": _from_type,
        "torch._tensor._rebuild_from_type_v2": _from_type,
        "torch.Size": lambda sizes=(): tuple(sizes),
        "collections.OrderedDict": _mapping,
        "collections.defaultdict": lambda factory=None, items=(): _mapping(items),
        "collections.Counter": _mapping,
        "builtins.set": lambda items=(): set(map(_shallow, items)),
        "builtins.frozenset": lambda items=(): frozenset(map(_shallow, items)),
        "builtins.complex": lambda real=0.0, imaginary=0.0: complex(real, imaginary),
        "builtins.bytearray": _byte_array,
        "builtins.bytes": _byte_array,
        "_codecs.encode": _encoded,
        "numpy.dtype": lambda name, *_: DtypeInfo(name_of(name)),
        "numpy._core.multiarray._reconstruct": lambda *_: ArrayInfo(),
        "dill._dill._create_array": _array_of_dill,
        "numpy._core.multiarray.scalar": _scalar,
        "numpy._core.numeric._frombuffer": _array_from_buffer,
    }
)
