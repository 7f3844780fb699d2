"""Frozen copies of what a state dict holds: nested containers, tensors, arrays, random generators, objects."""

from __future__ import annotations

import copy
import random
import sys
from collections import OrderedDict, deque
from collections.abc import Hashable, Mapping, Set
from dataclasses import dataclass
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from pytest_ckpt.state.tensors import freeze_tensor

__all__ = ["ObjectPicture", "freeze", "generator_state", "object_attributes"]

_IMMUTABLE = (str, bytes, int, float, complex, bool, type(None), torch.dtype, torch.device, torch.Size)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectPicture:
    """What an object without a special rule is made of.

    Attributes:
        kind: Its qualified class name.
        attributes: Frozen copies of its attributes, slots included.
    """

    kind: str
    attributes: dict[str, Any]


def freeze(value: Any, _seen: dict[int, Any] | None = None) -> Any:
    """Copy a nested value so that nothing in the copy changes when the training goes on.

    Containers keep their type where that is a plain one, tensors and arrays are copied, random
    generators become their state, other objects an :class:`ObjectPicture`. Functions, classes,
    enumerations and the standard library's values (paths, dates) are kept as they are unless they
    can change; an object that is met again inside itself becomes its class name.
    """
    kind = type(value)
    if kind in _IMMUTABLE_TYPES:
        return value
    if isinstance(value, torch.Tensor):
        # A lazy parameter gets its data in place, so not even a reference may be kept.
        return ObjectPicture(kind=kind.__qualname__, attributes={}) if is_lazy(value) else freeze_tensor(value)
    seen = {} if _seen is None else _seen
    if id(value) in seen:
        return seen[id(value)][1]
    # The object is kept with its copy: ids of short-lived objects are used again.
    seen[id(value)] = (value, f"<{kind.__qualname__} again>")
    frozen = _freeze_compound(value, seen)
    seen[id(value)] = (value, frozen)
    return frozen


_IMMUTABLE_TYPES = frozenset(_IMMUTABLE)


def _freeze_compound(value: Any, seen: dict[int, Any]) -> Any:
    kind = type(value)
    if isinstance(value, _MAPPINGS):
        return _freeze_mapping(value, seen)
    if isinstance(value, (list, tuple)):
        items = [freeze(item, seen) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, Set):
        return set(value) if isinstance(value, set) else frozenset(value)
    if isinstance(value, deque):
        return deque((freeze(item, seen) for item in value), value.maxlen)
    if isinstance(value, ObjectPicture):
        return ObjectPicture(kind=value.kind, attributes=freeze(value.attributes))
    if (state := generator_state(value)) is not None:
        return ObjectPicture(kind=kind.__qualname__, attributes={"state": freeze(state)})
    if kind.__module__ == "numpy":
        return copy.deepcopy(value)
    if isinstance(value, _KEPT) or (isinstance(value, Hashable) and _is_from_stdlib(kind)):
        return value
    attributes = object_attributes(value)
    if not attributes:
        return value if isinstance(value, Hashable) else copy.copy(value)
    frozen = {name: freeze(item, seen) for name, item in attributes.items()}
    return ObjectPicture(kind=kind.__qualname__, attributes=frozen)


_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, ModuleType)
_KEPT = (str, bytes, int, float, complex, type, Enum, *_FUNCTIONS)
_MAPPINGS = (dict, Mapping)  # an abstract class takes several times longer to ask


def _is_from_stdlib(kind: type) -> bool:
    return kind.__module__.split(".")[0] in sys.stdlib_module_names


def _freeze_mapping(value: Mapping[Any, Any], seen: dict[int, Any]) -> dict[Any, Any]:
    items = {
        key: item if type(item) in _IMMUTABLE_TYPES else freeze(item, seen)  # the test is what most calls come to
        for key, item in value.items()
    }
    if not isinstance(value, OrderedDict):
        return items
    copied = OrderedDict(items)
    if (metadata := getattr(value, "_metadata", None)) is not None:
        # Versions of the modules: load_state_dict reads them to run migrations.
        copied._metadata = freeze(metadata)  # type: ignore[attr-defined]
    return copied


def generator_state(value: Any) -> Any:
    """Return the state of a random generator of python, numpy or torch, or ``None`` for other objects."""
    if isinstance(value, torch.Generator):
        return value.get_state()
    if isinstance(value, random.Random):
        return None if isinstance(value, random.SystemRandom) else value.getstate()
    if type(value).__module__.startswith("numpy.random"):
        if hasattr(value, "bit_generator"):
            return value.bit_generator.state
        if hasattr(value, "get_state"):
            return value.get_state()
    return None


def object_attributes(value: Any) -> dict[str, Any]:
    """Return what an object holds, in ``__dict__`` and in slots."""
    attributes = dict(getattr(value, "__dict__", {}))
    for base in type(value).__mro__:
        # The descriptors, not `__slots__`: a private slot has a mangled name.
        for name, member in vars(base).items():
            if isinstance(member, MemberDescriptorType) and not name.startswith("__") and hasattr(value, name):
                attributes.setdefault(name, getattr(value, name))
    return attributes
