"""What a run holds outside its state dicts: a walk over its live object graph, nothing copied."""

from __future__ import annotations

import functools
import operator
import sys
import sysconfig
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any, TypeAlias

import torch

from pytest_ckpt.state.freezing import generator_state, object_attributes
from pytest_ckpt.state.naming import is_optimizer_like
from pytest_ckpt.state.paths import Keys, spell

__all__ = ["Graph", "Slot", "walk_graph"]

Assign: TypeAlias = Callable[[Any, Any], None]
Child: TypeAlias = "tuple[Keys, Any, Assign | None]"
_NODE_LIMIT = 20_000
_LEAVES = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size)
# What torch.nn.Module and Optimizer keep for themselves; a project's own attributes stand beside it.
_MODULE_INTERNALS = frozenset(torch.nn.Module().__dict__) - {"training"}
_OPTIMIZER_INTERNALS = frozenset(
    ("state", "param_groups", "defaults", "step", "profile_hook_step", "_opt_called")
)


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in a live run.

    Attributes:
        path: Its shortest name, such as ``Trainer.global_step``.
        value: What is there now; live.
        owner: The path of the object that holds it.
        assign: ``assign(owner, value)`` puts another value there; ``None`` where that is impossible.
    """

    path: str
    value: Any
    owner: str
    assign: Assign | None


@dataclass(frozen=True, slots=True)
class Graph:
    """What a run holds.

    Attributes:
        slots: Its places by path.
        objects: The objects that hold them, by path.
        undeclared: Modules and optimizers that are no component, nor part of one, by path.
        cut: How many objects were left out at the limit.
    """

    slots: dict[str, Slot]
    objects: dict[str, Any]
    undeclared: dict[str, Any]
    cut: int

    def put(self, slot: Slot, value: Any) -> None:
        """Put a value where ``slot``, perhaps of another run's graph, has its place in this one."""
        if slot.assign is not None and slot.owner in self.objects:
            slot.assign(self.objects[slot.owner], value)


def walk_graph(components: Mapping[str, Any], functions: Mapping[str, Any]) -> Graph:
    """Walk everything that a run's components and functions reach, breadth first.

    Looked into are attributes, slots, containers, closures, bound methods, partials, locals of generators,
    and the globals that the project's own functions use. What optimizers keep in their state dicts is
    left out. Bounded to 20,000 objects.

    Args:
        components: Name to component; their names come first, so that shared objects carry them.
        functions: Name to function: step, save, load, predict.
    """
    walk = _Walk()
    for name, component in components.items():
        walk.add("", ((name,), component, None))
    walk.drain()
    for name, function in functions.items():
        if function is not None:
            walk.add("", ((name,), function, None))
    walk.drain()
    parts = {id(part) for item in components.values() for part in _parts(item)}
    undeclared = {
        path: item
        for path, item in walk.objects.items()
        if (isinstance(item, torch.nn.Module) or is_optimizer_like(item)) and id(item) not in parts
    }
    return Graph(slots=walk.slots, objects=walk.objects, undeclared=undeclared, cut=len(walk.queue))


def _parts(component: Any) -> Iterable[Any]:
    return component.modules() if isinstance(component, torch.nn.Module) else (component,)


class _Walk:
    """One breadth-first traversal; the first path to an object is the shortest."""

    def __init__(self) -> None:
        self.slots: dict[str, Slot] = {}
        self.objects: dict[str, Any] = {}
        self.queue: deque[tuple[Keys, Any]] = deque()
        self._seen: set[int] = set()

    def add(self, owner: str, child: Child) -> None:
        """Note a leaf, or line an object up to be looked into."""
        keys, value, assign = child
        if _is_foreign(value):
            return
        path = spell(keys)
        data = _is_leaf(value) or is_plain_data(value)
        if data or is_opaque(value):
            self.slots.setdefault(path, Slot(path, value, owner, assign))
        if not data and id(value) not in self._seen:
            self._seen.add(id(value))
            self.queue.append((keys, value))

    def drain(self) -> None:
        while self.queue and len(self._seen) < _NODE_LIMIT:
            keys, value = self.queue.popleft()
            while (path := spell(keys)) in self.objects:
                keys = (*keys[:-1], f"{keys[-1]}'")  # Another object of that name.
            self.objects[path] = value
            for child in _children(keys, value):
                self.add(path, child)


def _is_leaf(value: Any) -> bool:
    return (
        isinstance(value, (*_LEAVES, torch.Tensor, set, frozenset))
        or type(value).__module__ == "numpy"
        or generator_state(value) is not None
    )


def is_opaque(value: Any) -> bool:
    """Whether a value is an iterator or a generator: what it will yield can be moved, but not copied."""
    return hasattr(value, "__next__") and not isinstance(value, type)


def is_plain_data(value: Any, depth: int = 0) -> bool:
    """Whether a container holds nothing but numbers, strings and tensors, so that it is one value."""
    if isinstance(value, Mapping):
        items = list(value.values())
    elif isinstance(value, list | tuple | deque):
        items = list(value)
    else:
        return False
    return depth < 6 and all(_is_leaf(item) or is_plain_data(item, depth + 1) for item in items)


def _is_foreign(value: Any) -> bool:
    """Whether a value belongs to python or to a library and holds no state of the run."""
    if isinstance(value, ModuleType):
        return True
    if isinstance(value, type):
        return not _is_project_module(value.__module__)
    root = type(value).__module__.split(".")[0]
    if root in ("builtins", "collections", "random", "functools", "itertools", "numpy", "types"):
        return False
    return root in sys.stdlib_module_names


def _children(keys: Keys, value: Any) -> Iterator[Child]:
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
    elif isinstance(value, MethodType):
        owner = value.__self__
        yield ((owner.__name__ if isinstance(owner, type) else type(owner).__name__,), owner, None)
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
            if not name.startswith("__") and not callable(item):
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
    for name in function.__code__.co_names:
        if name in function.__globals__:
            yield (name,), function.__globals__[name], _global(name)
    for index, default in enumerate(function.__defaults__ or ()):
        yield (function.__name__, "defaults", index), default, None


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
