"""``payloads()``: nested state as programs put it into a checkpoint."""

from __future__ import annotations

import argparse
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import Any, TypeVar

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from pytest_ckpt.strategies.state.drawing import Numbers, draw_numbers
from pytest_ckpt.strategies.state.samples import Pair, Settings, make_closure, make_function
from pytest_ckpt.strategies.state.state_dicts import state_dicts
from pytest_ckpt.strategies.state.tensors import tensors
from pytest_ckpt.strategies.state.values import numpy_values, objects, plain_values, random_states

__all__ = ["CONTAINERS", "PLAIN_CONTAINERS", "payloads"]

_T = TypeVar("_T")

_MAX_DEPTH = 3
_MAX_ITEMS = 3
_PLACES = ("leaf", "container", "again", "leaf")
_COMPONENTS = ("model", "optimizer", "scheduler", "trainer", "rng", "config")
_ATTRIBUTES = ("lr", "seed", "path")
_KEYS = ("a", "b", "a.b", "", "layer.0.weight", "0", "ü", 0, 1, -1, (0, "x"), (1, "y"))
_MEMBERS = (0, 1.0, "a", b"b", None, -0.0, float("nan"), (2, "x"), 2**100)


def payloads(
    leaves: st.SearchStrategy[Any] | None = None,
    *,
    containers: Collection[str] | None = None,
    max_leaves: int = 8,
    allow_sharing: bool = True,
    allow_functions: bool = False,
) -> st.SearchStrategy[dict[str, Any]]:
    """Generate what a run hands over to be saved: a mapping of components to nested state.

    Shrinks towards a model that is the simplest leaf.

    Args:
        leaves: What the containers hold: by default tensors, state dicts, plain values, objects, values of numpy
            and random states. To restrict it is to combine these strategies: ``tensors() | plain_values()``.
        containers: Names out of ``CONTAINERS``, simplest first; by default all. ``PLAIN_CONTAINERS`` are those
            that every format takes.
        max_leaves: How many leaves are drawn at most.
        allow_sharing: Whether one leaf or container may be in several places.
        allow_functions: Whether lambdas and closures may be in it, which dill and cloudpickle save.

    Raises:
        InvalidArgument: If there is no such container.
    """
    names = CONTAINERS if containers is None else tuple(containers)
    if unknown := sorted(set(names) - _MAKERS.keys()):
        raise InvalidArgument(
            f"payloads(containers={list(names)!r}): {', '.join(map(repr, unknown))} is no container to draw. "
            f"Give some of {', '.join(map(repr, CONTAINERS))}."
        )
    drawn = _all_leaves() if leaves is None else leaves
    return _payloads(drawn, names, max_leaves, allow_sharing, allow_functions)


def _all_leaves() -> st.SearchStrategy[Any]:
    kinds = (tensors(), plain_values(), objects(), numpy_values(), state_dicts(max_size=2), random_states())
    return st.one_of(*kinds, tensors(), tensors())


@st.composite
def _payloads(
    draw: st.DrawFn,
    leaves: st.SearchStrategy[Any],
    containers: tuple[str, ...],
    max_leaves: int,
    allow_sharing: bool,
    allow_functions: bool,
) -> dict[str, Any]:
    growing = _Growing(
        draw=draw,
        # What there is and where is said by one choice, so that leaves can change places without another shape.
        numbers=draw_numbers(draw),
        leaves=leaves,
        containers=containers,
        allow_sharing=allow_sharing,
        allow_functions=allow_functions,
        left=max_leaves,
    )
    names = growing.pick_distinct(_COMPONENTS, 1 + growing.numbers.below(_MAX_ITEMS))
    return {name: growing.make_node(depth=0) for name in names}


@dataclass(kw_only=True, slots=True)
class _Growing:
    """One payload while it is drawn."""

    draw: st.DrawFn
    numbers: Numbers
    leaves: st.SearchStrategy[Any]
    containers: tuple[str, ...]
    allow_sharing: bool
    allow_functions: bool
    left: int
    made: list[Any] = field(default_factory=list)
    """What may be found in a second place."""

    def make_node(self, depth: int) -> Any:
        place = _PLACES[self.numbers.below(len(_PLACES))]
        if place == "again" and self.made and self.allow_sharing:
            event("payload: one thing in two places")
            return self.pick(self.made)
        if place == "container" and self.containers and depth < _MAX_DEPTH and self.left > 0:
            kind = self.pick(self.containers)
            event(f"payload: {kind}")
            node = _MAKERS[kind](self, depth)
        else:
            node = self.make_leaf()
        self.made.append(node)
        return node

    def make_leaf(self) -> Any:
        if self.left <= 0:
            return None
        self.left -= 1
        kind = self.numbers.below(6) if self.allow_functions else 0
        if kind == 5:
            return make_function()
        leaf = self.draw(self.leaves)
        return make_closure(leaf) if kind == 4 else leaf

    def pick(self, values: Sequence[_T]) -> _T:
        return values[self.numbers.below(len(values))]

    def pick_distinct(self, values: Sequence[_T], count: int) -> list[_T]:
        first = self.numbers.below(len(values))
        return [values[(first + index) % len(values)] for index in range(count)]

    def make_items(self, depth: int) -> list[Any]:
        return [self.make_node(depth + 1) for _ in range(self.numbers.below(_MAX_ITEMS + 1))]

    def make_mapping(self, depth: int, keys: Sequence[Any] = _KEYS) -> dict[Any, Any]:
        names = self.pick_distinct(keys, self.numbers.below(_MAX_ITEMS + 1))
        return {key: self.make_node(depth + 1) for key in names}

    def make_attributes(self, depth: int) -> dict[str, Any]:
        return self.make_mapping(depth, _ATTRIBUTES)

    def make_two(self, depth: int) -> tuple[Any, Any]:
        return self.make_node(depth + 1), self.make_node(depth + 1)

    def make_members(self) -> list[Any]:
        return self.pick_distinct(_MEMBERS, self.numbers.below(_MAX_ITEMS + 1))


_Maker = Callable[[_Growing, int], Any]

_PLAIN: dict[str, _Maker] = {
    "dict": _Growing.make_mapping,
    "list": _Growing.make_items,
    "tuple": lambda growing, depth: tuple(growing.make_items(depth)),
    "OrderedDict": lambda growing, depth: OrderedDict(growing.make_mapping(depth)),
}
_MAKERS: Mapping[str, _Maker] = MappingProxyType(
    {
        **_PLAIN,
        "namedtuple": lambda growing, depth: Pair(*growing.make_two(depth)),
        "dataclass": lambda growing, depth: Settings(*growing.make_two(depth)),
        "Namespace": lambda growing, depth: argparse.Namespace(**growing.make_attributes(depth)),
        "SimpleNamespace": lambda growing, depth: SimpleNamespace(**growing.make_attributes(depth)),
        "deque": lambda growing, depth: deque(growing.make_items(depth), growing.pick((None, 3))),
        "set": lambda growing, depth: set(growing.make_members()),
        "frozenset": lambda growing, depth: frozenset(growing.make_members()),
    }
)

PLAIN_CONTAINERS: tuple[str, ...] = tuple(_PLAIN)
"""The containers that every format keeps."""

CONTAINERS: tuple[str, ...] = tuple(_MAKERS)
"""The names of all containers, simplest first."""
