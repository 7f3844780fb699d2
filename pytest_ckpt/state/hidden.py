"""What a run holds outside its state dicts: a walk over its live object graph, nothing copied."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from types import BuiltinFunctionType, BuiltinMethodType, FunctionType, GeneratorType, MemberDescriptorType, MethodType
from typing import Any

import torch

from pytest_ckpt.paths import Keys, spell
from pytest_ckpt.state.belonging import is_foreign, is_project_module, is_value
from pytest_ckpt.state.freezing import generator_state, object_attributes
from pytest_ckpt.state.holding import Assign, Child, children
from pytest_ckpt.state.naming import is_optimizer_like

__all__ = ["Graph", "Slot", "walk_graph"]

_NODE_LIMIT = 20_000
_LOOK_LIMIT = 1_000


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
        same_as: The first path to the thing at a path; another one where two paths lead to one thing.
        cut: How many objects were not read, at the limit or because they refused.
        sealed: Things that may hold state and do not show it, by path, to their kind: ``sqlite3.Connection``.
    """

    slots: dict[str, Slot]
    objects: dict[str, Any]
    undeclared: dict[str, Any]
    same_as: dict[str, str]
    cut: int
    sealed: dict[str, str]

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
    for things in (components, functions):
        for name, thing in things.items():
            if thing is not None:
                walk.add("", ((name,), thing, None))
        walk.drain()
    parts = {id(part) for item in components.values() for part in _parts(item)}
    undeclared = {
        path: item
        for path, item in walk.objects.items()
        if (isinstance(item, torch.nn.Module) or is_optimizer_like(item)) and id(item) not in parts
    }
    return Graph(
        slots=walk.slots,
        objects=walk.objects,
        undeclared=undeclared,
        same_as=walk.same_as,
        cut=len(walk.queue) + walk.unread,
        sealed=walk.sealed,
    )


def _parts(component: Any) -> Iterable[Any]:
    return component.modules() if isinstance(component, torch.nn.Module) else (component,)


class _Walk:
    """One breadth-first traversal; the first path to an object is the shortest."""

    def __init__(self) -> None:
        self.slots: dict[str, Slot] = {}
        self.objects: dict[str, Any] = {}
        self.queue: deque[tuple[Keys, Any]] = deque()
        self.same_as: dict[str, str] = {}
        self.unread = 0
        self.sealed: dict[str, str] = {}
        self._namesakes: Counter[str] = Counter()
        self._seen: dict[int, str] = {}

    def add(self, owner: str, child: Child) -> None:
        """Note a leaf, or line an object up to be looked into."""
        keys, value, assign = child
        if is_foreign(value):
            return
        path = spell(keys)
        whole = _is_whole(value)
        data = whole or is_plain_data(value)
        if data or is_opaque(value):
            self.slots.setdefault(path, Slot(path, value, owner, assign))
        if whole and not _can_be_shared(value):
            return
        met_again = id(value) in self._seen
        self.same_as.setdefault(path, self._seen.setdefault(id(value), path))
        if not met_again and is_sealed(value):
            self.sealed[path] = _kind(value)
        # An attribute may be missing in one run and there in the other: what can have any is looked into.
        if not met_again and (hasattr(value, "__dict__") if data else True) and not _is_closed(value):
            self.queue.append((keys, value))

    def drain(self) -> None:
        while self.queue and len(self._seen) < _NODE_LIMIT:
            keys, value = self.queue.popleft()
            path = spell(keys)
            if path in self.objects:  # another object of that name
                self._namesakes[path] += 1
                keys = (*keys[:-1], f"{keys[-1]}({self._namesakes[path] + 1})")
                path = spell(keys)
            self.objects[path] = value
            try:
                for child in children(keys, value):
                    self.add(path, child)
            except Exception:  # an object that does not let itself be read, such as a config with a missing value
                self.unread += 1


def _is_whole(value: Any) -> bool:
    return is_value(value) or generator_state(value) is not None


def _is_closed(value: Any) -> bool:
    # A class of the project's own may have given a generator more than its state.
    return _is_whole(value) and not (generator_state(value) is not None and is_project_module(type(value).__module__))


def _can_be_shared(value: Any) -> bool:
    return isinstance(value, torch.Tensor | set) or generator_state(value) is not None


def is_opaque(value: Any) -> bool:
    """Whether a thing tells little of itself: an iterator, a file, a handle; it can be moved, but not copied."""
    if hasattr(type(value), "__next__"):
        return True
    if _is_whole(value):
        return False
    if callable(value) or isinstance(value, Mapping | Sequence | Set) or type(value).__module__.startswith("torch"):
        return False
    return not object_attributes(value)


def is_sealed(value: Any) -> bool:
    """Whether a thing may hold state that nothing here reads: a connection, a cache of results, a handle."""
    kind = type(value)
    if hasattr(kind, "cache_info"):
        return True
    if kind is object or is_project_module(kind.__module__) or isinstance(value, _READ):
        return False
    library = kind.__module__.split(".")[0]
    if callable(value):
        return not hasattr(value, "__dict__") and library not in _STATELESS
    return is_opaque(value)


_READ = (type, GeneratorType, FunctionType, MethodType, BuiltinFunctionType, BuiltinMethodType, MemberDescriptorType)
_STATELESS = ("builtins", "dataclasses", "functools", "numpy", "operator", "torch")


def _kind(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def is_plain_data(value: Any, depth: int = 0) -> bool:
    """Whether a container holds nothing but numbers, strings and tensors, so that it is one value."""
    if not isinstance(value, Mapping | list | tuple | deque) or depth >= 6:
        return False
    if isinstance(value, Mapping) and not isinstance(value, dict) and len(value) > _LOOK_LIMIT:
        return False  # It may make its items as they are asked for, without an end.
    try:
        items = list(islice(value.values() if isinstance(value, Mapping) else value, _LOOK_LIMIT))
    except Exception:  # It does not let itself be read, which is counted where it is looked into.
        return False
    return all(_is_whole(item) or is_plain_data(item, depth + 1) for item in items)
