"""What an object of a run holds, by kind, and how another value is put in its place."""

from __future__ import annotations

import functools
import operator
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import BuiltinMethodType, CodeType, FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any, TypeAlias

import torch

from pytest_ckpt.paths import Keys
from pytest_ckpt.state.belonging import is_project_module
from pytest_ckpt.state.freezing import object_attributes
from pytest_ckpt.state.naming import is_optimizer_like

__all__ = ["Assign", "Child", "children"]

Assign: TypeAlias = Callable[[Any, Any], None]
Child: TypeAlias = "tuple[Keys, Any, Assign | None]"
# What torch.nn.Module and Optimizer keep for themselves; a project's own attributes stand beside it.
_MODULE_INTERNALS = frozenset(torch.nn.Module().__dict__) - {"training"}
_OPTIMIZER_INTERNALS = frozenset(("state", "param_groups", "step", "profile_hook_step", "_opt_called"))
_ITEM_LIMIT = 1_000
_PLAIN_KEYS = (str, int, float, bool, tuple, type(None))


def children(keys: Keys, value: Any) -> Iterator[Child]:
    """Yield what an object holds: its path, the value, and how to put another value there."""
    if isinstance(value, torch.nn.Module):
        yield from _module_children(keys, value)
    elif isinstance(value, FunctionType):
        yield from _function_children(value)
    elif isinstance(value, MethodType | BuiltinMethodType):
        yield from _method_children(keys, value)
    elif isinstance(value, functools.partial):
        yield keys, value.func, None
        yield (*keys, "args"), value.args, None
        yield (*keys, "keywords"), value.keywords, None
    elif isinstance(value, GeneratorType):
        for name, item in (value.gi_frame.f_locals if value.gi_frame else {}).items():
            yield (*keys, name), item, None
    elif isinstance(value, type):
        yield from _class_children(keys, value)
    else:
        yield from _item_children(keys, value)
        yield from _attribute_children(keys, value)


def _item_children(keys: Keys, value: Any) -> Iterator[Child]:
    if isinstance(value, Mapping):
        for index, (key, item) in enumerate(list(islice(value.items(), _ITEM_LIMIT))):
            plain = isinstance(key, _PLAIN_KEYS)
            yield (*keys, key if plain else index), item, _item(key)
    elif isinstance(value, list | tuple | deque):
        for index, item in enumerate(islice(value, _ITEM_LIMIT)):
            yield (*keys, index), item, None if isinstance(value, tuple) else _item(index)


def _module_children(keys: Keys, module: torch.nn.Module) -> Iterator[Child]:
    for name, parameter in module._parameters.items():
        if parameter is not None:
            yield (*keys, name, "grad"), parameter.grad, _gradient(name)
            yield (*keys, name), parameter, _parameter(name)
            yield (*keys, name, "requires_grad"), parameter.requires_grad, _trainable(name)
            for attribute, item in vars(parameter).items():
                yield (*keys, name, attribute), item, _attribute_of_parameter(name, attribute)
            yield from _hooks((*keys, name), {"_backward_hooks": parameter._backward_hooks})
    for name in module._buffers:
        yield (*keys, name), module._buffers.get(name), _buffer(name)
    for name, child in module._modules.items():
        yield (*keys, name), child, None
    for name, item in module.__dict__.items():
        if name not in _MODULE_INTERNALS:
            yield (*keys, name), item, _attribute(name)
    yield from _hooks(keys, module.__dict__)


def _hooks(keys: Keys, attributes: Mapping[str, Any]) -> Iterator[Child]:
    """Yield hooks by number: torch keys them by a count over the whole process."""
    for name, hooks in attributes.items():
        if name.endswith("_hooks") and isinstance(hooks, dict) and hooks:
            yield (*keys, name.removeprefix("_"), "count"), len(hooks), None
            for index, hook in enumerate(hooks.values()):
                yield (*keys, name.removeprefix("_"), index), hook, None


def _attribute_children(keys: Keys, value: Any) -> Iterator[Child]:
    optimizer = is_optimizer_like(value)
    attributes = object_attributes(value)
    of_a_library = not is_project_module(type(value).__module__)
    for name, item in attributes.items():
        if of_a_library and name.endswith("_cache"):
            continue  # such as OmegaConf's: what is not in it is computed again
        if not optimizer or not (name in _OPTIMIZER_INTERNALS or name.startswith("_optimizer_")):
            yield (*keys, name), item, _attribute(name)
    if optimizer:
        yield from _hooks(keys, attributes)
    if is_project_module(type(value).__module__):
        yield (type(value).__name__,), type(value), None


def _class_children(keys: Keys, value: type) -> Iterator[Child]:
    for name, item in vars(value).items():
        function = item.__func__ if isinstance(item, staticmethod | classmethod) else item
        if isinstance(function, FunctionType):
            yield (function.__qualname__,), function, None
        elif not name.startswith("__") and not callable(item):
            yield (*keys, name), item, _class_attribute(name)


def _method_children(keys: Keys, value: Any) -> Iterator[Child]:
    owner = value.__self__
    name = owner.__name__ if isinstance(owner, type | GeneratorType) else type(owner).__name__
    yield (name,), owner, None
    if isinstance(value, MethodType):
        yield keys, value.__func__, None


def _function_children(function: FunctionType) -> Iterator[Child]:
    if not is_project_module(function.__module__):
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield (name,), cell.cell_contents, _variable(name)
        except ValueError:
            continue  # a variable that has no value yet
    names = list(_names_in(function.__code__))
    for name in names:
        if (item := function.__globals__.get(name)) is not None or name in function.__globals__:
            yield (name,), item, _global(name)
            if isinstance(item, ModuleType) and is_project_module(item.__name__):
                yield from (((name, key), vars(item)[key], _fixed(item, key)) for key in names if key in vars(item))
    for index, default in enumerate(function.__defaults__ or ()):
        yield (function.__name__, "defaults", index), default, None
    for key, default in (function.__kwdefaults__ or {}).items():
        yield (function.__name__, "defaults", key), default, None
    for name, item in vars(function).items():
        yield (function.__name__, name), item, _attribute(name)


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)  # functions and classes that are defined inside


def _item(key: Any) -> Assign:
    return lambda owner, value: operator.setitem(owner, key, value)


def _attribute(name: str) -> Assign:
    return lambda owner, value: object.__setattr__(owner, name, value)


def _class_attribute(name: str) -> Assign:
    return lambda owner, value: setattr(owner, name, value)


def _fixed(module: ModuleType, name: str) -> Assign:
    return lambda owner, value: setattr(module, name, value)


def _buffer(name: str) -> Assign:
    return lambda owner, value: operator.setitem(owner._buffers, name, value)


def _global(name: str) -> Assign:
    return lambda owner, value: operator.setitem(owner.__globals__, name, value)


def _attribute_of_parameter(name: str, attribute: str) -> Assign:
    return lambda owner, value: setattr(owner._parameters[name], attribute, value)


def _variable(name: str) -> Assign:
    def assign(owner: FunctionType, value: Any) -> None:
        position = owner.__code__.co_freevars.index(name)
        (owner.__closure__ or ())[position].cell_contents = value

    return assign


def _parameter(name: str) -> Assign:
    def assign(owner: torch.nn.Module, value: torch.Tensor) -> None:
        owner._parameters[name].data = value.detach().clone()  # type: ignore[union-attr]

    return assign


def _trainable(name: str) -> Assign:
    return lambda owner, value: owner._parameters[name].requires_grad_(value)


def _gradient(name: str) -> Assign:
    def assign(owner: torch.nn.Module, value: torch.Tensor | None) -> None:
        owner._parameters[name].grad = None if value is None else value.detach().clone()  # type: ignore[union-attr]

    return assign
