"""Two nested states side by side: every mismatch, in order, at its path."""

# Longer than 250 lines because the values that states hold are many.

from __future__ import annotations

import argparse
import datetime
import decimal
import enum
import functools
import math
import pickle
import struct
from array import array
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from pytest_ckpt.comparison import Diff, compare
from pytest_ckpt.state import ObjectPicture, capture, freeze


class Thing:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Other:
    pass


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Phase(enum.Enum):
    WARMUP = 1
    MAIN = 2


class Whole(int):
    """A number of a project's own kind."""


class Pair(NamedTuple):
    one: int
    two: int


class Secretive:
    """Is equal only to what has its secret, and does not show it."""

    __slots__ = ()

    def __init__(self, secret: int) -> None:
        _SECRETS[id(self)] = secret

    def __eq__(self, other: object) -> bool:
        return _SECRETS[id(self)] == _SECRETS[id(other)]

    def __hash__(self) -> int:
        return 0


_SECRETS: dict[int, int] = {}


def nan(payload: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_0000 + payload))[0]
    return value


def first_function() -> None:
    """Is compared by name."""


def second_function() -> None:
    """Is compared by name."""


def function_of(module: str) -> Callable[[], None]:
    def function() -> None:
        """Is another object whenever it is defined."""

    function.__module__ = module
    return function


def shown(diff: Diff) -> list[tuple[str, str, str, str]]:
    return [(m.path, m.kind, m.expected, m.actual) for m in diff]


def objects(*items: Any) -> Any:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


SAME: dict[str, tuple[Any, Any]] = {
    "nan": (math.nan, float("nan")),
    "complex nan": (complex(math.nan, 1), complex(math.nan, 1)),
    "order of keys": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "kinds of mappings": ({"a": 1}, OrderedDict(a=1)),
    "kinds of tuples": ((1, 2), Pair(1, 2)),
    "deque": (deque([1, torch.ones(2)]), deque([1, torch.ones(2)])),
    "sets": ({1, 2}, frozenset({2, 1})),
    "sets of other objects": ({math.nan, (math.nan, frozenset({-0.0}))}, {float("nan"), (nan(0), frozenset({-0.0}))}),
    "limited deque": (deque([1], 2), deque([1], 2)),
    "byte order": (np.arange(2, dtype=">i4"), np.arange(2, dtype="<i4")),
    "not a decimal": (decimal.Decimal("NaN"), decimal.Decimal("NaN")),
    "time that is there twice": (datetime.datetime(2020, 1, 1, fold=1), datetime.datetime(2020, 1, 1)),
    "counter": (Counter("aab"), Counter("baa")),
    "array": (np.arange(4).reshape(2, 2), np.asfortranarray(np.arange(4).reshape(2, 2))),
    "array of nan": (np.array([math.nan]), np.array([math.nan])),
    "array of objects": (objects([1], "a", None), objects([1], "a", None)),
    "array of python's": (array("d", [math.nan]), array("d", [math.nan])),
    "array of strings": (np.array(["a"]), np.array(["a"])),
    "numpy scalar": (np.float32(1), np.float32(1)),
    "path": (Path("a"), Path("a")),
    "date": (datetime.date(2020, 1, 1), datetime.date(2020, 1, 1)),
    "enumeration": (Phase.MAIN, Phase(2)),
    "own number": (Whole(3), Whole(3)),
    "function": (first_function, first_function),
    "function defined twice": (function_of("a"), function_of("a")),
    "class": (Thing, Thing),
    "partial": (functools.partial(int, base=2), functools.partial(int, base=2)),
    "dtype": (torch.float32, torch.float32),
    "object": (Thing(a=[torch.ones(1)]), Thing(a=[torch.ones(1)])),
    "slots": (Slotted([1]), Slotted([1])),
    "object without attributes": (Other(), Other()),
    "object with its own ==": (Secretive(1), Secretive(1)),
    "namespace": (argparse.Namespace(a=1), argparse.Namespace(a=1)),
    "torch generator": (torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)),
    "module": (nn.Linear(1, 1, device="meta"), nn.Linear(1, 1, device="meta")),
    "nothing": ({}, {}),
}


@pytest.mark.parametrize("name", SAME)
def test_what_is_the_same(name: str) -> None:
    one, other = SAME[name]

    assert not compare({"x": one}, {"x": other})
    assert not compare({"x": other}, {"x": one})
    assert not compare(freeze(one), freeze(other))


# saved, loaded: path, kind, what is said of both
DIFFERENT: dict[str, tuple[Any, Any, tuple[str, str, str, str]]] = {
    "integer": (1, 2, ("x", "value", "1", "2")),
    "negative zero": (0.0, -0.0, ("x", "value", "0.0", "-0.0")),
    "complex zero": (0j, complex(0.0, -0.0), ("x", "value", "0j", "-0j")),
    "next float": (1.0, math.nextafter(1, 2), ("x", "value", "1.0", "1.0000000000000002")),
    "nan payload": (nan(0), nan(1), ("x", "value", "nan", "nan")),
    "nan and number": (math.nan, 1.0, ("x", "value", "nan", "1.0")),
    "nan and integer": (math.nan, 1, ("x", "type", "nan", "1")),
    "integer and bool": (1, True, ("x", "number type", "1", "True")),
    "integer and float": (1, 1.0, ("x", "number type", "1", "1.0")),
    "integer and another float": (1, 2.0, ("x", "value", "1", "2.0")),
    "own number": (Whole(3), 3, ("x", "number type", "3", "3")),
    "own numbers": (Whole(3), Whole(4), ("x", "value", "3", "4")),
    "text and bytes": ("a", b"a", ("x", "type", "'a'", "b'a'")),
    "text that just fits": ("a" * 78, "b", ("x", "value", "'" + "a" * 78 + "'", "'b'")),
    "text": ("a" * 90, "b", ("x", "value", "'" + "a" * 76 + "...", "'b'")),
    "none": (None, 0, ("x", "type", "None", "0")),
    "tensor and number": (torch.ones(2), 1.0, ("x", "type", "float32 (2,)", "1.0")),
    "number and tensor": (1.0, torch.tensor(1.0), ("x", "type", "1.0", "float32 ()")),
    "none and tensor": (None, torch.ones(2), ("x", "type", "None", "float32 (2,)")),
    "tensor and array": (torch.ones(2), np.ones(2), ("x", "type", "float32 (2,)", "numpy float64 (2,)")),
    "list and tuple": ([1], (1,), ("x", "container type", "list", "tuple")),
    "list and mapping": ([1], {0: 1}, ("x", "type", "[1]", "dict with 1 key")),
    "list and a longer mapping": ([1], {0: 1, 1: 2}, ("x", "type", "[1]", "dict with 2 keys")),
    "shorter list": ([1, 2], [1], ("x[1]", "missing", "2", "nothing")),
    "longer tuple": ((1,), (1, 2), ("x[1]", "unexpected", "nothing", "2")),
    "shorter deque": (deque([1, 2]), deque([1]), ("x[1]", "missing", "2", "nothing")),
    "missing key": ({"a": 1}, {}, ("x.a", "missing", "1", "nothing")),
    "unexpected key": ({}, {"a": None}, ("x.a", "unexpected", "nothing", "None")),
    "value under a number": ({0: 1}, {0: 2}, ("x[0]", "value", "1", "2")),
    "class": (Thing, Other, ("x", "value", "Thing", "Other")),
    "missing list": ({"a": [1] * 40}, {}, ("x.a", "missing", "list of 40", "nothing")),
    "missing list that just fits": (
        {"a": ["b" * 76]},
        {},
        ("x.a", "missing", "['" + "b" * 76 + "']", "nothing"),
    ),
    "missing short list": ({"a": [1]}, {}, ("x.a", "missing", "[1]", "nothing")),
    "missing picture": ({"a": freeze(Thing(b=1))}, {}, ("x.a", "missing", "a Thing", "nothing")),
    "set": ({1}, {2}, ("x", "value", "{1}", "{2}")),
    "set of another number": ({1}, {True}, ("x", "value", "{1}", "{True}")),
    "set of another zero": ({0.0}, {-0.0}, ("x", "value", "{0.0}", "{-0.0}")),
    "set with a tuple": ({(1,)}, {(1.0,)}, ("x", "value", "{(1,)}", "{(1.0,)}")),
    "set of another decimal": (
        {decimal.Decimal("1.0")},
        {decimal.Decimal("1.00")},
        ("x", "value", "{Decimal('1.0')}", "{Decimal('1.00')}"),
    ),
    "larger set": ({1}, {1, 2}, ("x", "value", "{1}", "{1, 2}")),
    "deque without its limit": (deque([1], 2), deque([1]), ("x.maxlen", "type", "2", "None")),
    "numbers in another byte order": (
        np.arange(2, dtype=">i4"),
        np.arange(1, 3, dtype="<i4"),
        ("x", "value", "numpy int32 (2,)", "numpy int32 (2,)"),
    ),
    "digits": (decimal.Decimal("1.0"), decimal.Decimal("1.00"), ("x", "value", "Decimal('1.0')", "Decimal('1.00')")),
    "zone": (
        datetime.datetime(2020, 1, 1, 12, tzinfo=datetime.UTC),
        datetime.datetime(2020, 1, 1, 13, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
        (
            "x",
            "value",
            "datetime.datetime(2020, 1, 1, 12, 0, tzinfo=datetime.timezone.utc)",
            "datetime.datetime(2020, 1, 1, 13, 0, tzinfo=datetime.timezone(datetime.timede...",
        ),
    ),
    "range": (range(0, 3, 2), range(0, 4, 2), ("x", "value", "range(0, 3, 2)", "range(0, 4, 2)")),
    "set and list": ({1}, [1], ("x", "type", "{1}", "[1]")),
    "array": (np.arange(2), np.arange(2)[::-1], ("x", "value", "numpy int64 (2,)", "numpy int64 (2,)")),
    "array dtype": (np.ones(2), np.ones(2, "f4"), ("x", "dtype", "numpy float64 (2,)", "numpy float32 (2,)")),
    "array shape": (np.ones(2), np.ones((1, 2)), ("x", "shape", "numpy float64 (2,)", "numpy float64 (1, 2)")),
    "array zero": (np.zeros(1), -np.zeros(1), ("x", "value", "array([0.])", "array([-0.])")),
    "array and list": (np.ones(2), [1.0, 1.0], ("x", "type", "numpy float64 (2,)", "[1.0, 1.0]")),
    "array of objects": (objects(1, [2, 3]), objects(1, [2, 4]), ("x[1][1]", "value", "3", "4")),
    "array of python's": (
        array("d", [0.0]),
        array("d", [-0.0]),
        ("x", "value", "array('d', [0.0])", "array('d', [-0.0])"),
    ),
    "array of python's of another type": (
        array("i", [0]),
        array("I", [0]),
        ("x", "value", "array('i', [0])", "array('I', [0])"),
    ),
    "shape of objects": (
        objects(1, 2),
        objects(1, 2).reshape(2, 1),
        ("x", "shape", "numpy object (2,)", "numpy object (2, 1)"),
    ),
    "objects and numbers": (
        objects(1.0, 2.0),
        np.array([1.0, 2.0]),
        ("x", "dtype", "numpy object (2,)", "numpy float64 (2,)"),
    ),
    "numpy scalar": (np.float32(1), np.float32(2), ("x", "value", "np.float32(1.0)", "np.float32(2.0)")),
    "numpy and python": (np.float64(1), 1.0, ("x", "number type", "np.float64(1.0)", "1.0")),
    "another numpy and python": (np.float32(1), 1.0, ("x", "number type", "np.float32(1.0)", "1.0")),
    "array of one and python": (np.ones(1), 1.0, ("x", "type", "array([1.])", "1.0")),
    "path": (PurePosixPath("a"), PurePosixPath("b"), ("x", "value", "PurePosixPath('a')", "PurePosixPath('b')")),
    "date": (
        datetime.date(2020, 1, 1),
        datetime.date(2020, 1, 2),
        ("x", "value", "datetime.date(2020, 1, 1)", "datetime.date(2020, 1, 2)"),
    ),
    "decimal": (decimal.Decimal("1.0"), decimal.Decimal("1.1"), ("x", "value", "Decimal('1.0')", "Decimal('1.1')")),
    "enumeration": (Phase.WARMUP, Phase.MAIN, ("x", "value", "<Phase.WARMUP: 1>", "<Phase.MAIN: 2>")),
    "function": (
        first_function,
        second_function,
        ("x", "value", "<function first_function>", "<function second_function>"),
    ),
    "functions of one name in two modules": (
        function_of("a"),
        function_of("b"),
        ("x", "value", "<function function_of.<locals>.function>", "<function function_of.<locals>.function>"),
    ),
    "methods of a builtin": (
        str.lower,
        str.upper,
        ("x", "value", "<method 'lower' of 'str' objects>", "<method 'upper' of 'str' objects>"),
    ),
    "partial": (
        functools.partial(int, base=2),
        functools.partial(int, base=3),
        ("x", "value", "functools.partial(<class 'int'>, base=2)", "functools.partial(<class 'int'>, base=3)"),
    ),
    "dtype": (torch.float32, torch.float64, ("x", "value", "torch.float32", "torch.float64")),
    "layout": (torch.strided, torch.sparse_coo, ("x", "value", "torch.strided", "torch.sparse_coo")),
    "device": (
        torch.device("cpu"),
        torch.device("meta"),
        ("x", "value", "device(type='cpu')", "device(type='meta')"),
    ),
    "class of an object": (Thing(), Other(), ("x", "type", "<Thing object>", "<Other object>")),
    "class of a picture": (freeze(Thing(value=1)), freeze(Slotted(1)), ("x", "type", "a Thing", "a Slotted")),
    "attribute": (Thing(a=Thing(b=[1])), Thing(a=Thing(b=[2])), ("x.a.b[0]", "value", "1", "2")),
    "slot": (Slotted(1), Slotted(2), ("x.value", "value", "1", "2")),
    "lost attribute": (Thing(a=1, b=2), Thing(a=1), ("x.b", "missing", "2", "nothing")),
    "namespace": (argparse.Namespace(lr=1), argparse.Namespace(lr=2), ("x.lr", "value", "1", "2")),
    "object with its own ==": (Secretive(1), Secretive(2), ("x", "value", "<Secretive object>", "<Secretive object>")),
    "lazy and ready": (
        freeze(nn.UninitializedParameter()),
        torch.ones(1),
        ("x", "type", "a UninitializedParameter", "float32 (1,)"),
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_is_different(name: str) -> None:
    saved, loaded, expected = DIFFERENT[name]

    diff = compare({"x": saved}, {"x": loaded})

    assert [tuple(text.replace(f"{__name__}.", "") for text in texts) for texts in shown(diff)] == [expected]
    details = {
        "nan payload": "the same number in other bits",
        "array": "2 of 2 elements differ, first at [0]: 0 became 1",
        "numbers in another byte order": "2 of 2 elements differ, first at [0]: 0 became 1",
    }
    assert diff.mismatches[0].detail == details.get(name, "")
    assert compare({"x": loaded}, {"x": saved})


def test_arrays_say_how_much_differs_and_where() -> None:
    saved = np.array([[1.0, math.nan], [0.0, 4.0]])
    loaded = np.array([[1.0, math.nan], [-0.0, 5.0]])

    (mismatch,) = compare({"x": saved}, {"x": loaded})

    assert mismatch.detail == "2 of 4 elements differ, first at [1, 0]: 0.0 became -0.0"


def test_other_bits_of_the_same_number_are_told() -> None:
    assert compare(nan(0), nan(1)).mismatches[0].detail == "the same number in other bits"
    assert compare(1.0, 2.0).mismatches[0].detail == ""


def test_every_mismatch_is_collected_in_order() -> None:
    """In the order of the saved state, additions last, and in the order of the loaded one."""
    saved = {"m": {"w": torch.ones(2), "b": torch.ones(1)}, "o": {"lr": [0.1, 0.2]}, "gone": torch.ones(1)}
    loaded = {"z": 0, "y": torch.ones(1), "o": {"lr": (0.1, 0.3)}, "m": {"b": torch.zeros(1), "w": torch.zeros(2)}}

    diff = compare(saved, loaded)

    assert [(m.path, m.kind, m.tensor) for m in diff] == [
        ("m.w", "value", True),
        ("m.b", "value", True),
        ("o.lr", "container type", False),
        ("o.lr[1]", "value", False),
        ("gone", "missing", True),
        ("z", "unexpected", False),
        ("y", "unexpected", True),
    ]
    assert len(diff) == 7


def test_a_missing_branch_tells_whether_tensors_were_in_it() -> None:
    diff = compare({"a": {"b": {"c": torch.ones(1)}}, "d": {"e": 1}, "f": np.ones(1), "g": np.float32(1)}, {})

    assert [(m.path, m.tensor) for m in diff] == [("a", True), ("d", False), ("f", True), ("g", False)]


def test_leaves_are_counted() -> None:
    state = {"a": [1, 2.0, "x", None], "b": torch.ones(3), "c": np.ones(3), "d": {1}, "e": Thing(f=1, g=[])}

    assert compare(state, freeze(state)).compared == 8
    assert compare({"a": [1, 2.0, "x", None], "b": torch.ones(3)}, {"a": [1, 2.0, "x", None]}).compared == 4


def test_cycles_end() -> None:
    def loop(value: int) -> list[Any]:
        made: list[Any] = [value]
        made.append({"again": made})
        return made

    def thing(value: int) -> Thing:
        made = Thing(value=value)
        made.me = [made]  # type: ignore[attr-defined]
        return made

    assert not compare(loop(1), loop(1))
    assert shown(compare(loop(1), loop(2))) == [("[0]", "value", "1", "2")]
    ring: list[Any] = []
    ring.append(ring)
    assert [m.path for m in compare([[1]], ring)] == ["[0][0]"]
    assert [m.path for m in compare(ring, [[1]])] == ["[0][0]"]
    assert not compare(thing(1), thing(1))
    assert [m.path for m in compare({"x": thing(1)}, {"x": thing(2)})] == ["x.value"]


def test_a_branch_met_twice_is_compared_twice() -> None:
    shared, other = [1], [2]

    assert [m.path for m in compare([shared, shared], [other, other])] == ["[0][0]", "[1][0]"]


def test_containers_that_cannot_be_compared_are_compared_by_what_they_show() -> None:
    class Odd:
        def __init__(self, text: str) -> None:
            self.__dict__ = {}
            _SHOWN[id(self)] = text

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("ambiguous")

        def __repr__(self) -> str:
            return _SHOWN[id(self)]

        __hash__ = object.__hash__

    a, same, b = Odd("a at 0x7f01"), Odd("a at 0x7FA2"), Odd("b")

    assert not compare({"x": a}, {"x": same})
    assert shown(compare({"x": a}, {"x": b})) == [("x", "value", "a", "b")]


_SHOWN: dict[int, str] = {}


def test_mismatches_are_strings_and_survive_pickling() -> None:
    saved = {"t": torch.ones(3), "o": Thing(a=1), "n": np.ones(2), "f": 1.5, "g": torch.ones(2)}
    diff = compare(saved, {"t": torch.zeros(3), "o": Thing(a=2), "n": np.zeros(2), "f": 2.5, "new": [torch.ones(1)]})

    for mismatch in diff:
        fields = {name: type(getattr(mismatch, name)) for name in mismatch.__slots__}
        assert fields.pop("tensor") is bool
        assert set(fields.values()) == {str}
    assert pickle.loads(pickle.dumps(diff)) == diff


def test_captured_runs_are_compared_with_traits_sharing_and_hidden_state() -> None:
    def tree(change: bool) -> Any:
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
        if change:
            model[1].weight = model[0].weight
            model.eval()
            model.requires_grad_(False)
        return capture({"model": model})

    paths = {m.path for m in compare(tree(False), tree(True))}

    assert {
        "model.1.weight",
        "model.0.weight.requires_grad",
        "model.0.weight object",
        "model.training[itself]",
    } <= paths
    assert not compare(tree(True), tree(True))


def test_a_captured_run_is_not_what_holds_the_same() -> None:
    tree = capture(nn.Linear(1, 1))

    assert [(m.path, m.kind) for m in compare(tree, tree.state)] == [("", "type")]
    assert [(m.path, m.kind) for m in compare(tree.state, tree)] == [("", "type")]


def test_pictures_of_lazy_parameters_are_equal() -> None:
    assert not compare(capture(nn.LazyLinear(2)), capture(nn.LazyLinear(2)))
    assert compare(ObjectPicture(kind="A", attributes={}), ObjectPicture(kind="B", attributes={}))


def test_numbers_are_compared_whatever_the_default_device() -> None:
    with torch.device("meta"):
        (mismatch,) = compare({"lr": 0.1}, {"lr": 0.10000000149011612})

    assert mismatch.detail == "rounded to float32"


class Closed:
    def __repr__(self) -> str:
        raise RuntimeError("closed")


def test_a_thing_that_cannot_be_shown_is_called_by_its_class() -> None:
    assert not compare({"handle": Closed()}, {"handle": Closed()})
    (mismatch, other) = compare({"handle": Closed(), "handles": [Closed()]}, {"handle": 1})
    assert (mismatch.expected, mismatch.actual) == ("<Closed>", "1")
    assert (other.expected, other.actual) == ("<list>", "nothing")


def holding(value: object) -> Callable[[], object]:
    return lambda: value


def with_metadata(version: int | None) -> OrderedDict[str, Any]:
    state: OrderedDict[str, Any] = OrderedDict(weight=1)
    if version is not None:
        state._metadata = OrderedDict({"": {"version": version}})  # type: ignore[attr-defined]
    return state


def sparse(*, is_coalesced: bool) -> torch.Tensor:
    indices, values = torch.tensor([[0, 2]]), torch.ones(2)
    return torch.sparse_coo_tensor(indices, values, (3,), is_coalesced=is_coalesced, check_invariants=True)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (with_metadata(2), with_metadata(None)),
        (with_metadata(2), with_metadata(1)),
        (sparse(is_coalesced=True), sparse(is_coalesced=False)),
        ({1: "a"}, {True: "a"}),
        ({1: "a"}, {1.0: "a"}),
        (holding(1), holding(2)),
    ],
)
def test_what_correct_programs_change_is_not_looked_at(expected: Any, actual: Any) -> None:
    """The docstring of ``compare`` lists these."""
    assert not compare({"x": expected}, {"x": actual})
    assert not compare({"x": actual}, {"x": expected})
