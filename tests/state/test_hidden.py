"""The walk over what a run holds outside its state dicts: what it finds, under which name, and what it leaves."""

# Longer than 250 lines because the walk meets many kinds of things.

from __future__ import annotations

import enum
import functools
import io
import json
import operator
import random
import sqlite3
from collections import UserDict, deque
from collections.abc import Iterator
from types import MethodType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from pytest_ckpt.state.hidden import Graph, is_opaque, is_plain_data, is_sealed, walk_graph


class Holder:
    """Holds what it is given."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def step(self, i: int) -> None:
        """Is what a run calls."""

    def save(self) -> None:
        """Is what a run calls."""


class Items(list[Any]):
    """A list that can have attributes."""


class Refusing(UserDict[str, Any]):
    """A configuration with a value that is missing, as omegaconf has them."""

    def values(self) -> Any:
        raise RuntimeError("a value is missing")

    items = values


def walk(holder: Any) -> Graph:
    return walk_graph({}, {"step": holder.step})


def slots(**attributes: Any) -> dict[str, Any]:
    """Return the places below a holder of these attributes."""
    graph = walk(Holder(**attributes))
    return {path.removeprefix("Holder."): slot.value for path, slot in graph.slots.items()}


def test_values_are_slots_and_what_holds_them_is_their_owner() -> None:
    inner = Holder(rate=0.5)
    holder = Holder(count=1, inner=inner)

    graph = walk(holder)

    assert {path: (slot.path, slot.value, slot.owner) for path, slot in graph.slots.items()} == {
        "Holder.count": ("Holder.count", 1, "Holder"),
        "Holder.inner.rate": ("Holder.inner.rate", 0.5, "Holder.inner"),
    }
    assert graph.objects["Holder"] is holder
    assert graph.objects["Holder.inner"] is inner
    assert graph.cut == 0


def test_what_is_found_in_one_run_can_be_put_into_another() -> None:
    saved, loaded = Holder(count=1, only_here=Holder(rate=1)), Holder(count=2)
    graph, other = walk(saved), walk(loaded)

    other.put(graph.slots["Holder.count"], 3)
    other.put(graph.slots["Holder.only_here.rate"], 4)

    assert vars(loaded) == {"count": 3}
    assert saved.count == 1  # type: ignore[attr-defined]


def test_where_nothing_can_be_put_nothing_is() -> None:
    holder = Holder()
    holder.pair = (1, [2], torch.ones(1), holder)  # type: ignore[attr-defined]
    graph = walk(holder)

    graph.put(graph.slots["Holder.pair[0]"], 3)

    assert graph.slots["Holder.pair[0]"].assign is None
    assert holder.pair[0] == 1  # type: ignore[attr-defined]


def test_what_is_a_component_carries_its_name() -> None:
    model = nn.Linear(1, 1)
    holder = Holder(net=model, model_of_another=nn.Linear(1, 1))

    graph = walk_graph({"model": model}, {"step": holder.step, "load": None})

    assert graph.objects["model"] is model
    assert "Holder.net" not in graph.objects
    assert graph.same_as["Holder.net"] == "model"
    assert graph.slots["model.weight"].value is model.weight
    assert "load" not in graph.same_as


def test_modules_and_optimizers_that_are_no_part_of_a_component_are_undeclared() -> None:
    model = nn.Sequential(nn.Linear(1, 1))
    optimizer, other = (torch.optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
    holder = Holder(layer=model[0], forgotten=nn.Identity(), optimizer=optimizer, other=other, plain=Holder())

    graph = walk_graph({"model": model, "optimizer": optimizer}, {"step": holder.step})

    assert graph.undeclared == {"Holder.forgotten": holder.forgotten, "Holder.other": other}  # type: ignore[attr-defined]


def test_the_first_path_is_the_shortest() -> None:
    shared = Holder(count=1)

    graph = walk(Holder(deep=Holder(shared=shared), shared=shared))

    assert graph.same_as["Holder.deep.shared"] == "Holder.shared"
    assert set(graph.slots) == {"Holder.shared.count"}


@pytest.mark.parametrize("value", [torch.ones(1), {1}, [1], torch.Generator()], ids=lambda value: type(value).__name__)
def test_what_can_be_changed_in_place_may_be_one_thing_at_two_places(value: Any) -> None:
    graph = walk(Holder(one=value, two=value))

    assert graph.same_as["Holder.one"] == graph.same_as["Holder.two"] == "Holder.one"
    assert {"Holder.one", "Holder.two"} <= set(graph.slots)


def test_equal_numbers_are_not_one_thing() -> None:
    assert not {"Holder.one", "Holder.two"} & set(walk(Holder(one="a", two="a")).same_as)


def test_namesakes_are_numbered() -> None:
    one, two, three = Holder(count=1), Holder(count=2), Holder(count=3)

    graph = walk_graph({}, {"step": one.step, "save": two.save, "load": three.save})

    assert [graph.objects[name] for name in ("Holder", "Holder(2)", "Holder(3)")] == [one, two, three]
    assert {path: slot.value for path, slot in graph.slots.items()} == {
        "Holder.count": 1,
        "Holder(2).count": 2,
        "Holder(3).count": 3,
    }


def test_a_namesake_in_a_part_is_numbered_there() -> None:
    def function() -> None:
        """Stands where the method stands that it is called through."""

    method = MethodType(function, Holder())

    graph = walk(Holder(callback=method))

    assert graph.objects["Holder.callback"] is method
    assert graph.objects["Holder.callback(2)"] is function


def test_what_refuses_to_be_read_is_counted_and_what_stands_beside_it_is_found() -> None:
    holder = Holder(first=1, refusing=Refusing(), again=Refusing(), last=2)

    graph = walk(holder)

    assert {"Holder.first", "Holder.last"} == set(graph.slots)
    assert graph.cut == 2


def test_a_component_that_is_data_is_a_slot_that_nothing_holds() -> None:
    losses = [0.5]

    slot = walk_graph({"losses": losses}, {}).slots["losses"]

    assert (slot.value, slot.owner, slot.assign) == (losses, "", None)


def test_a_walk_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = Holder(inner=[Holder(number=number) for number in range(20)])
    assert walk(holder).cut == 0

    monkeypatch.setattr("pytest_ckpt.state.hidden._NODE_LIMIT", 10)
    graph = walk(holder)

    assert set(graph.objects) == {"step", "Holder", "step(2)", "Holder.inner"}
    assert graph.cut == 21


def test_no_more_is_read_when_the_bound_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_ckpt.state.hidden._NODE_LIMIT", 10)
    chain = SimpleNamespace()
    for _ in range(20):
        chain = SimpleNamespace(inner=chain)

    graph = walk_graph({"chain": chain}, {})

    assert (len(graph.objects), graph.cut) == (9, 1)


def test_a_cycle_ends() -> None:
    holder = Holder(count=1)
    holder.me = [holder]  # type: ignore[attr-defined]

    assert set(walk(holder).slots) == {"Holder.count"}


def test_a_container_of_values_is_one_slot() -> None:
    history, queue = [1, [2.0, "a"]], deque([torch.ones(1)])

    assert slots(history=history, queue=queue, table={"a": (1, None)}) == {
        "history": history,
        "queue": queue,
        "table": {"a": (1, None)},
    }


def test_a_container_of_other_things_is_looked_into() -> None:
    assert slots(parts=[1, Holder(count=2)], table={"a": Holder(count=3)}) == {
        "parts[0]": 1,
        "parts[1].count": 2,
        "table.a.count": 3,
    }


def test_a_container_with_attributes_is_a_slot_and_looked_into() -> None:
    items = Items([1])
    items.reached = 2  # type: ignore[attr-defined]

    assert slots(items=items) == {"items": [1], "items[0]": 1, "items.reached": 2}
    assert slots(items=[1]) == {"items": [1]}


def test_an_iterator_is_a_slot_and_looked_into() -> None:
    def numbers() -> Iterator[int]:
        count = 1
        yield count

    generator = numbers()
    next(generator)

    assert slots(data=generator) == {"data": generator, "data.count": 1}


class Dice(random.Random):
    """A generator of the project, with something beside its state."""

    rolls = 0


def test_a_generator_of_the_project_is_a_slot_and_looked_into() -> None:
    dice = Dice()
    dice.rolls = 3

    assert {"dice": dice, "dice.rolls": 3}.items() <= slots(dice=dice).items()


def test_a_value_or_a_generator_of_a_library_is_not_looked_into() -> None:
    generator = random.Random()
    generator.rolls = 3  # type: ignore[attr-defined]

    assert slots(generator=generator, colour=Colour.RED) == {"generator": generator, "colour": Colour.RED}


class Colour(enum.Enum):
    """A value of the project."""

    RED = 1


def nested(depth: int) -> Any:
    return 1 if depth == 0 else [nested(depth - 1)]


def test_plain_data_is_looked_at_so_far_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_ckpt.state.hidden._LOOK_LIMIT", 2)
    endless: Any = []
    endless.append(endless)

    assert is_plain_data(nested(6))
    assert not is_plain_data(nested(7))
    assert not is_plain_data(endless)
    assert is_plain_data([1, 2, Holder()])
    assert is_plain_data({"a": 1, "b": 2, "c": Holder()})
    assert not is_plain_data([1, Holder(), 2])
    assert not is_plain_data({"a": 1, "b": Holder()})
    assert is_plain_data(UserDict(a=1, b=2))
    assert not is_plain_data(UserDict(a=1, b=2, c=3)), "it may make its items as they are asked for"
    assert not is_plain_data(1)


@pytest.mark.parametrize(
    "value", [iter([1]), (number for number in (1, 2)), io.BytesIO(), object()], ids=lambda value: type(value).__name__
)
def test_what_tells_little_of_itself_is_opaque(value: Any) -> None:
    assert is_opaque(value)


@pytest.mark.parametrize(
    "value",
    [1, {1}, torch.ones(1), torch.Generator(), Holder, len, {}, [], range(1), {}.keys(), torch.strided, Holder(a=1)],
    ids=lambda value: type(value).__name__,
)
def test_what_can_be_read_is_not_opaque(value: Any) -> None:
    assert not is_opaque(value)


@functools.cache
def cached() -> int:
    return 1


class Tool:
    """Is called, as the functions of a library are, and holds nothing."""

    __slots__ = ()
    __module__ = "torch.made_up"

    def __call__(self) -> None:
        """Do nothing."""


class Keeping:
    """Is called, too; what it holds is among its attributes."""

    __module__ = "json.made_up"

    def __call__(self) -> None:
        """Do nothing."""


def waiting() -> Iterator[None]:
    yield


SEALED = {
    "sqlite3.Connection": sqlite3.connect(":memory:"),
    "functools._lru_cache_wrapper": cached,
    "_json.Scanner": json.JSONDecoder().scan_once,  # type: ignore[attr-defined]
    "enumerate": enumerate("ab"),
}


@pytest.mark.parametrize("kind", SEALED)
def test_what_may_hold_state_and_does_not_show_it_is_named_with_its_kind(kind: str) -> None:
    graph = walk(Holder(handle=SEALED[kind], again=SimpleNamespace(handle=SEALED[kind])))

    assert graph.sealed == {"Holder.handle": kind}


@pytest.mark.parametrize(
    "value",
    [
        *(object(), Holder(), Holder, Holder().step, len, [].append, torch.ones(1).sum, torch.add),
        *(waiting(), operator.itemgetter(0), functools.partial(len), int, {"a": 1}, Tool(), Keeping()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_read_or_holds_nothing_is_not_sealed(value: Any) -> None:
    assert not is_sealed(value)
    assert walk(Holder(handle=value)).sealed == {}
