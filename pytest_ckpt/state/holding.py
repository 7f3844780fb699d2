"""What an object of a run holds, by kind, and how another value is put in its place."""

from __future__ import annotations

import functools
import operator
import sys
import sysconfig
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinMethodType, CodeType, FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any, TypeAlias

import torch

from pytest_ckpt.state.freezing import object_attributes
from pytest_ckpt.state.naming import is_optimizer_like
from pytest_ckpt.state.paths import Keys

__all__ = ["Assign", "Child", "children", "is_foreign"]

Assign: TypeAlias = Callable[[Any, Any], None]
Child: TypeAlias = "tuple[Keys, Any, Assign | None]"
# What torch.nn.Module and Optimizer keep for themselves; a project's own attributes stand beside it.
_MODULE_INTERNALS = frozenset(torch.nn.Module().__dict__) - {"training"}
_OPTIMIZER_INTERNALS = frozenset(("state", "param_groups", "defaults", "step", "profile_hook_step", "_opt_called"))


def is_foreign(value: Any) -> bool:
    """Whether a value belongs to python or to a library and holds no state of the run."""
    if isinstance(value, ModuleType):
        return True
    if isinstance(value, type):
        return not _is_project_module(value.__module__)
    root = type(value).__module__.split(".")[0]
    if root in ("builtins", "collections", "random", "functools", "itertools", "numpy", "types"):
        return False
    return root in sys.stdlib_module_names


def children(keys: Keys, value: Any) -> Iterator[Child]:
    """Yield what an object holds: its path, the value, and how to put another value there."""
    if isinstance(value, torch.nn.Module):
        yield from _module_children(keys, value)
    elif isinstance(value, Mapping):
        for key, item in list(value.items()):
            yield (*keys, key), item, _item(key)
    elif isinstance(value, list | tuple | deque):
        for index, item in enumerate(value):
            yield (*keys, index), item, None if isinstance(value, tuple) else _item(index)
    elif isinstance(value, FunctionType):
        yield from _function_children(value)
    elif isinstance(value, MethodType | BuiltinMethodType):
        owner = value.__self__
        name = owner.__name__ if isinstance(owner, type | GeneratorType) else type(owner).__name__
        yield (name,), owner, None
        if isinstance(value, MethodType):
            yield keys, value.__func__, None
    elif isinstance(value, functools.partial):
        yield keys, value.func, None
        yield (*keys, "args"), value.args, None
        yield (*keys, "keywords"), value.keywords, None
    elif isinstance(value, GeneratorType):
        for name, item in (value.gi_frame.f_locals if value.gi_frame else {}).items():
            yield (*keys, name), item, None
    elif isinstance(value, type):
        for name, item in vars(value).items():
            if isinstance(item, FunctionType):
                yield (item.__qualname__,), item, None
            elif not name.startswith("__") and not callable(item):
                yield (*keys, name), item, _class_attribute(name)
    else:
        yield from _attribute_children(keys, value)


def _module_children(keys: Keys, module: torch.nn.Module) -> Iterator[Child]:
    for name, parameter in module._parameters.items():
        if parameter is not None:
            yield (*keys, name, "grad"), parameter.grad, _gradient(name)
            yield (*keys, name), parameter, _parameter(name)
    for name in module._buffers:
        yield (*keys, name), module._buffers.get(name), _buffer(name)
    for name, child in module._modules.items():
        yield (*keys, name), child, None
    for name, item in module.__dict__.items():
        if name not in _MODULE_INTERNALS:
            yield (*keys, name), item, _attribute(name)


def _attribute_children(keys: Keys, value: Any) -> Iterator[Child]:
    internals = _OPTIMIZER_INTERNALS if is_optimizer_like(value) else frozenset()
    for name, item in object_attributes(value).items():
        if name not in internals and not name.startswith("_optimizer_"):
            yield (*keys, name), item, _attribute(name)
    if _is_project_module(type(value).__module__):
        yield (type(value).__name__,), type(value), None


def _function_children(function: FunctionType) -> Iterator[Child]:
    if not _is_project_module(function.__module__):
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield (name,), cell.cell_contents, _variable(name)
        except ValueError:
            continue  # a variable that has no value yet
    for name in _names_in(function.__code__):
        if name in function.__globals__:
            yield (name,), function.__globals__[name], _global(name)
    for index, default in enumerate(function.__defaults__ or ()):
        yield (function.__name__, "defaults", index), default, None


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


def _buffer(name: str) -> Assign:
    return lambda owner, value: operator.setitem(owner._buffers, name, value)


def _global(name: str) -> Assign:
    return lambda owner, value: operator.setitem(owner.__globals__, name, value)


def _variable(name: str) -> Assign:
    def assign(owner: FunctionType, value: Any) -> None:
        position = owner.__code__.co_freevars.index(name)
        (owner.__closure__ or ())[position].cell_contents = value

    return assign


def _parameter(name: str) -> Assign:
    def assign(owner: torch.nn.Module, value: torch.Tensor) -> None:
        owner._parameters[name].data = value.detach().clone()  # type: ignore[union-attr]

    return assign


def _gradient(name: str) -> Assign:
    def assign(owner: torch.nn.Module, value: torch.Tensor | None) -> None:
        owner._parameters[name].grad = None if value is None else value.detach().clone()  # type: ignore[union-attr]

    return assign


@functools.cache
def _is_project_module(name: str | None) -> bool:
    """Whether a module is the project's own: neither python's nor installed among the libraries."""
    if name is None or name.split(".")[0] in (*sys.stdlib_module_names, "torch", "pytest_ckpt"):
        return name == "__main__"
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or not file.startswith(_LIBRARY_FOLDERS)


_LIBRARY_FOLDERS = tuple({sysconfig.get_paths()[key] for key in ("purelib", "platlib", "stdlib")})
