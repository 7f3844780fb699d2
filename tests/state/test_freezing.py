"""``freeze()``: nothing in the copy changes when the training goes on."""

from __future__ import annotations

import argparse
import datetime
import enum
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple
from xml.etree.ElementTree import QName

import numpy as np
import pytest
import torch
from torch import nn

from pytest_ckpt.state import ObjectPicture, freeze
from pytest_ckpt.state.freezing import generator_state, object_attributes


class Thing:
    def __init__(self, value: Any) -> None:
        self.value = value


class Slotted:
    __slots__ = ("left", "never_set")

    def __init__(self, left: Any) -> None:
        self.left = left


class SlottedBelow(Slotted):
    __slots__ = ("right",)

    def __init__(self, left: Any, right: Any) -> None:
        super().__init__(left)
        self.right = right


class Pair(NamedTuple):
    one: Any
    two: Any


class Phase(enum.Enum):
    WARMUP = "warmup"


class Mode(str, enum.Enum):  # noqa: UP042 - as projects spell it
    TRAIN = "train"


class Nothing:
    """Has no attributes that could change."""


class Name(str):
    """A string with an attribute."""

    def __init__(self, text: str) -> None:
        self.length = len(text)


def object_array() -> Any:
    array = np.empty(1, dtype=object)
    array[0] = [1]
    return array


# What is made, how training changes it, and what the copy must still show.
CHANGING: dict[str, tuple[Callable[[], Any], Callable[[Any], object], Any]] = {
    "dict": (lambda: {"a": 1}, lambda it: it.update(a=2), {"a": 1}),
    "nested list": (lambda: [[1]], lambda it: it[0].append(2), [[1]]),
    "list in tuple": (lambda: ([1],), lambda it: it[0].append(2), ([1],)),
    "deque": (lambda: deque([[1], [2]], maxlen=2), lambda it: it.append(0), deque([[1], [2]], 2)),
    "list in deque": (lambda: deque([[1]]), lambda it: it[0].append(2), deque([[1]])),
    "set": (lambda: {1}, lambda it: it.add(2), {1}),
    "tensor": (lambda: torch.ones(1), lambda it: it.zero_(), torch.ones(1)),
    "array": (lambda: np.ones(1), lambda it: it.fill(0), np.ones(1)),
    "array of objects": (object_array, lambda it: it[0].append(2), object_array()),
    "object": (lambda: Thing([1]), lambda it: it.value.append(2), Thing([1])),
    "slots": (lambda: Slotted([1]), lambda it: it.left.append(2), Slotted([1])),
    "namespace": (lambda: SimpleNamespace(lr=1), lambda it: setattr(it, "lr", 2), SimpleNamespace(lr=1)),
    "arguments": (
        lambda: argparse.Namespace(lr=[1]),
        lambda it: it.lr.append(2),
        argparse.Namespace(lr=[1]),
    ),
    "bytearray": (lambda: bytearray(b"a"), lambda it: it.append(0), bytearray(b"a")),
    "generator": (lambda: random.Random(1), lambda it: it.random(), random.Random(1)),
}


@pytest.mark.parametrize("kind", CHANGING)
def test_a_copy_stays_as_it_was(kind: str) -> None:
    make, change, expected = CHANGING[kind]
    live = make()

    frozen = freeze(live)
    change(live)

    assert repr(frozen) == repr(freeze(expected))
    assert repr(freeze(live)) != repr(frozen)


def test_containers_keep_their_type() -> None:
    value = [OrderedDict(a=1), {"b": 2}, (3,), [4], {5}, frozenset({6}), deque([7], maxlen=8)]

    frozen = freeze(value)

    assert frozen == value
    assert [type(item) for item in frozen] == [type(item) for item in value]
    assert frozen[-1].maxlen == 8


def test_other_mappings_and_tuples_become_plain_ones() -> None:
    assert type(freeze(MappingProxyType({"a": 1}))) is dict
    assert freeze(Pair([1], 2)) == ([1], 2)


@pytest.mark.parametrize(
    "value",
    [
        Path("a/b"),
        datetime.date(2020, 2, 29),
        QName("of a module with a dotted name"),
        Phase.WARMUP,
        Mode.TRAIN,
        Name("resnet"),
        nn.Linear,
        nn.functional.relu,
        len,
        torch.float16,
        torch.device("meta"),
        torch.strided,
        Nothing(),
        None,
        b"bytes",
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_cannot_change_are_kept(value: Any) -> None:
    assert freeze(value) is value


def test_an_object_is_its_attributes() -> None:
    thing = SlottedBelow(Thing(torch.ones(2)), 3)

    frozen = freeze(thing)

    assert (frozen.kind, list(frozen.attributes)) == ("SlottedBelow", ["right", "left"])
    assert frozen.attributes["left"].kind == "Thing"
    assert frozen.attributes["left"].attributes["value"].tolist() == [1, 1]


def test_a_generator_is_its_state() -> None:
    state = random.Random(3).getstate()

    assert freeze(random.Random(3)) == ObjectPicture(kind="Random", attributes={"state": state})


def test_a_frozen_copy_can_be_frozen_again() -> None:
    frozen = freeze(Thing([1]))

    again = freeze(frozen)
    frozen.attributes["value"].append(2)

    assert again == ObjectPicture(kind="Thing", attributes={"value": [1]})


def test_attributes_of_slots_and_dict_together() -> None:
    class Both(Slotted):
        pass

    thing = Both(1)
    thing.extra = 2  # type: ignore[attr-defined]

    assert object_attributes(thing) == {"left": 1, "extra": 2}


def test_a_single_slot_may_be_a_string() -> None:
    class One:
        __slots__ = "value"  # not a tuple: python allows that

        def __init__(self) -> None:
            self.value = 4

    thing = One()

    assert object_attributes(thing) == {"value": 4}


def test_what_python_keeps_of_a_function_is_no_attribute() -> None:
    def function() -> None:
        """Has a closure, globals and a name, which are no state."""

    function.calls = 1  # type: ignore[attr-defined]

    assert object_attributes(function) == {"calls": 1}


def test_cycles_end() -> None:
    thing = Thing(None)
    thing.value = [thing]
    loop: list[Any] = [1]
    loop.append({"again": loop})

    assert freeze(thing) == ObjectPicture(kind="Thing", attributes={"value": ["<Thing again>"]})
    assert freeze(loop) == [1, {"again": "<list again>"}]
    queue: deque[Any] = deque()
    queue.append(queue)
    assert freeze(queue) == deque(["<deque again>"])


def test_what_is_shared_is_not_a_cycle() -> None:
    shared = [1]

    assert freeze({"a": shared, "b": shared}) == {"a": [1], "b": [1]}


def test_short_lived_objects_are_not_taken_for_each_other() -> None:
    class Lazy(dict[str, Any]):
        """Makes its values when asked; the id of one is soon that of the next."""

        def items(self) -> Any:
            return ((str(number), [number]) for number in range(50))

    assert freeze(Lazy()) == {str(number): [number] for number in range(50)}


def test_versions_of_modules_are_copied() -> None:
    state_dict: Any = nn.BatchNorm1d(1).state_dict()

    frozen = freeze(state_dict)
    state_dict._metadata[""]["version"] = 1

    assert frozen._metadata == {"": {"version": 2}}


def test_a_lazy_parameter_keeps_no_reference() -> None:
    lazy = nn.LazyLinear(2)
    frozen = freeze(lazy.weight)

    lazy(torch.ones(1, 3))

    assert frozen == ObjectPicture(kind="UninitializedParameter", attributes={})


def test_the_state_of_random_generators() -> None:
    torch_generator = torch.Generator().manual_seed(3)
    legacy, new = np.random.RandomState(3), np.random.default_rng(3)

    assert torch.equal(generator_state(torch_generator), torch_generator.get_state())
    assert generator_state(random.Random(3)) == random.Random(3).getstate()
    assert generator_state(new) == new.bit_generator.state
    assert generator_state(legacy)[0] == "MT19937"
    assert generator_state(random.SystemRandom()) is None
    assert generator_state(np.ones(1)) is None
    assert generator_state(Thing(1)) is None
