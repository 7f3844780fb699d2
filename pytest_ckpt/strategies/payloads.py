"""``payloads()``: nested state as programs put it into a checkpoint."""

from __future__ import annotations

import argparse
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from pytest_ckpt.strategies.samples import Pair, Settings, make_closure, make_function
from pytest_ckpt.strategies.state_dicts import state_dicts
from pytest_ckpt.strategies.tensors import tensors
from pytest_ckpt.strategies.values import numpy_values, objects, plain_values, random_states

__all__ = ["CONTAINERS", "PLAIN_CONTAINERS", "payloads"]

_MAX_DEPTH = 3
_COMPONENTS = st.sampled_from(["model", "optimizer", "scheduler", "trainer", "rng", "config"])
_KEYS = st.one_of(
    st.sampled_from(["a", "b", "a.b", "", "layer.0.weight", "0", "ü"]),
    st.integers(-1, 2),
    st.tuples(st.integers(0, 1), st.sampled_from("xy")),
)
_PLACES = st.sampled_from(["value", "container", "again"])
_SIZES = st.integers(0, 3)


def payloads(
    leaves: st.SearchStrategy[Any] | None = None,
    *,
    containers: Collection[str] | None = None,
    max_leaves: int = 8,
    allow_sharing: bool = True,
    allow_functions: bool = False,
) -> st.SearchStrategy[dict[str, Any]]:
    """Generate what a run hands over to be saved: a mapping of components to nested state.

    Shrinks towards an empty mapping.

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
    return tensors() | plain_values() | objects() | numpy_values() | state_dicts(max_size=2) | random_states()


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
        leaves=leaves,
        containers=containers,
        allow_sharing=allow_sharing,
        allow_functions=allow_functions,
        left=max_leaves,
    )
    names = draw(st.lists(_COMPONENTS, max_size=3, unique=True))
    return {name: growing.draw_node(depth=0) for name in names}


@dataclass(kw_only=True, slots=True)
class _Growing:
    """One payload while it is drawn."""

    draw: st.DrawFn
    leaves: st.SearchStrategy[Any]
    containers: tuple[str, ...]
    allow_sharing: bool
    allow_functions: bool
    left: int
    made: list[Any] = field(default_factory=list)
    """What may be found in a second place."""

    def draw_node(self, depth: int) -> Any:
        place = self.draw(_PLACES)
        if place == "again" and self.made and self.allow_sharing:
            return self.draw(st.sampled_from(self.made))
        if place == "container" and self.containers and depth < _MAX_DEPTH and self.left > 0:
            node = _MAKERS[self.draw(st.sampled_from(self.containers))](self, depth)
        else:
            node = self.draw_leaf()
        self.made.append(node)
        return node

    def draw_leaf(self) -> Any:
        if self.left <= 0:
            return None
        self.left -= 1
        if self.allow_functions and self.draw(st.integers(0, 3)) == 3:
            return make_closure(self.draw(self.leaves)) if self.draw(st.booleans()) else make_function()
        return self.draw(self.leaves)

    def draw_items(self, depth: int) -> list[Any]:
        return [self.draw_node(depth + 1) for _ in range(self.draw(_SIZES))]

    def draw_mapping(self, depth: int, keys: st.SearchStrategy[Any] = _KEYS) -> dict[Any, Any]:
        return {key: self.draw_node(depth + 1) for key in self.draw(st.lists(keys, max_size=3, unique=True))}

    def draw_attributes(self, depth: int) -> dict[str, Any]:
        return self.draw_mapping(depth, st.sampled_from(["lr", "seed", "path"]))

    def draw_two(self, depth: int) -> tuple[Any, Any]:
        return self.draw_node(depth + 1), self.draw_node(depth + 1)

    def draw_hashable(self) -> list[Any]:
        return self.draw(st.lists(plain_values(), max_size=3))


_Maker = Callable[[_Growing, int], Any]

_PLAIN: dict[str, _Maker] = {
    "dict": _Growing.draw_mapping,
    "list": _Growing.draw_items,
    "tuple": lambda growing, depth: tuple(growing.draw_items(depth)),
    "OrderedDict": lambda growing, depth: OrderedDict(growing.draw_mapping(depth)),
}
_MAKERS: Mapping[str, _Maker] = MappingProxyType(
    {
        **_PLAIN,
        "namedtuple": lambda growing, depth: Pair(*growing.draw_two(depth)),
        "dataclass": lambda growing, depth: Settings(*growing.draw_two(depth)),
        "Namespace": lambda growing, depth: argparse.Namespace(**growing.draw_attributes(depth)),
        "SimpleNamespace": lambda growing, depth: SimpleNamespace(**growing.draw_attributes(depth)),
        "deque": lambda growing, depth: deque(growing.draw_items(depth), growing.draw(st.none() | st.just(3))),
        "set": lambda growing, depth: set(growing.draw_hashable()),
        "frozenset": lambda growing, depth: frozenset(growing.draw_hashable()),
    }
)

PLAIN_CONTAINERS: tuple[str, ...] = tuple(_PLAIN)
"""The containers that every format keeps."""

CONTAINERS: tuple[str, ...] = tuple(_MAKERS)
"""The names of all containers, simplest first."""
