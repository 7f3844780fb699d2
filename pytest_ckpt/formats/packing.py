"""A nested payload as text and a flat mapping of tensors, for formats that hold nothing else.

The text is JSON. What JSON has itself stands for itself (``null``, booleans, integers, finite floats,
strings, lists); everything else is an object with one key that says what it is: ``{"tuple": [1, 2]}``.
Mappings are lists of pairs, because their keys may be integers.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch

from pytest_ckpt.formats.leaves import MAPPINGS
from pytest_ckpt.paths import Keys, spell

__all__ = ["STRUCTURE", "pack", "unpack"]

STRUCTURE = "pytest_ckpt.structure"
"""Where a format puts the text; no tensor is given this name."""

# "__metadata__" means something else in a safetensors file.
_TAKEN = (STRUCTURE, "__metadata__")

_ATOMS: dict[type, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    bytes: (lambda value: base64.b64encode(value).decode(), base64.b64decode),
    complex: (
        lambda value: struct.pack(">dd", value.real, value.imag).hex(),
        lambda text: complex(*struct.unpack(">dd", bytes.fromhex(text))),
    ),
    torch.dtype: (lambda value: str(value).removeprefix("torch."), lambda text: getattr(torch, text)),
    torch.layout: (lambda value: str(value).removeprefix("torch."), lambda text: getattr(torch, text)),
    torch.device: (str, torch.device),
    torch.Size: (list, torch.Size),
}
_BY_NAME = {kind.__name__: decode for kind, (_, decode) in _ATOMS.items()}


def pack(payload: dict[str, Any]) -> tuple[str, dict[str, torch.Tensor]]:
    """Split a payload into the text of its structure and its tensors, by their paths.

    Two places that hold the same tensor get it twice.

    Raises:
        TypeError: If there is something in it that the text has no word for.
    """
    tensors: dict[str, torch.Tensor] = {}
    return json.dumps(_encode(payload, (), tensors), allow_nan=False), tensors


def unpack(text: str, tensors: Mapping[str, torch.Tensor]) -> Any:
    """Put together again what ``pack`` took apart."""
    return _decode(json.loads(text), tensors)


def _encode(value: object, keys: Keys, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        name = _free_name(spell(keys), tensors)
        tensors[name] = value
        return {"tensor": name}
    if type(value) is int:
        # Python refuses to read or write thousands of decimal digits.
        return value if value.bit_length() < 64 else {"int": hex(value)}
    if type(value) is float:
        return value if math.isfinite(value) else {"float": struct.pack(">d", value).hex()}
    if value is None or type(value) in (bool, str):
        return value
    if type(value) in _ATOMS:
        return {type(value).__name__: _ATOMS[type(value)][0](value)}
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        items = [_encode(item, (*keys, index), tensors) for index, item in enumerate(value)]
        return items if type(value) is list else {"tuple": items}
    if isinstance(value, Mapping) and type(value) in MAPPINGS:
        return {type(value).__name__: _encode_mapping(value, keys, tensors)}
    raise TypeError(f"cannot pack {type(value).__qualname__} at {spell(keys)}")


def _encode_mapping(value: Mapping[Any, Any], keys: Keys, tensors: dict[str, torch.Tensor]) -> Any:
    pairs = [[_encode(key, (*keys, key), tensors), _encode(item, (*keys, key), tensors)] for key, item in value.items()]
    attributes = getattr(value, "__dict__", {})
    return [pairs, {name: _encode(item, (*keys, name), tensors) for name, item in attributes.items()}]


def _free_name(name: str, taken: Mapping[str, torch.Tensor]) -> str:
    # Lone surrogates are legal in keys but not in files. Paths are no names: "a.b" may be one key or two.
    clean = name.encode("utf-8", "backslashreplace").decode()
    candidate, count = clean, 1
    while candidate in taken or candidate in _TAKEN:
        count += 1
        candidate = f"{clean}#{count}"
    return candidate


def _decode(node: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(node, list):
        return [_decode(item, tensors) for item in node]
    if not isinstance(node, dict):
        return node
    ((kind, content),) = node.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "int":
            return int(content, 16)
        case "float":
            return struct.unpack(">d", bytes.fromhex(content))[0]
        case "tuple":
            return tuple(_decode(content, tensors))
        case "dict" | "OrderedDict" | "Counter":
            return _decode_mapping(
                {"dict": dict, "OrderedDict": OrderedDict, "Counter": Counter}[kind], content, tensors
            )
    return _BY_NAME[kind](content)


def _decode_mapping(kind: Callable[[], Any], content: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    pairs, attributes = content
    mapping = kind()
    for key, item in pairs:
        mapping[_decode(key, tensors)] = _decode(item, tensors)
    for name, attribute in attributes.items():
        setattr(mapping, name, _decode(attribute, tensors))
    return mapping
