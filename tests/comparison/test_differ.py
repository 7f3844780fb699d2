"""``differ()``: the answer of ``compare()`` without the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch

from pytest_ckpt.comparison import compare, differ
from pytest_ckpt.state import capture, freeze


class Watched(Mapping[str, Any]):
    """A mapping that notes what is read from it."""

    def __init__(self, items: dict[str, Any]) -> None:
        self.items_, self.read = items, set[str]()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return self.items_[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.items_)

    def __len__(self) -> int:
        return len(self.items_)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": torch.ones(3)}, {"a": torch.ones(3)}),
        ({"a": torch.ones(3)}, {"a": -torch.ones(3)}),
        ({"a": [1, {"b": float("nan")}]}, {"a": [1, {"b": float("nan")}]}),
        ({"a": [0.0]}, {"a": [-0.0]}),
        ({"a": 1}, {}),
        ({}, {"a": 1}),
        ([1, 2], (1, 2)),
        ({"a": object}, {"a": int}),
        ({1, 2}, {1, 3}),
    ],
)
def test_it_says_what_compare_finds(expected: Any, actual: Any) -> None:
    assert differ(expected, actual) == bool(compare(expected, actual))


def test_traits_can_be_left_out() -> None:
    plain, parameter = torch.ones(2), torch.nn.Parameter(torch.ones(2))
    assert differ(plain, parameter)
    assert not differ(plain, parameter, traits=False)


def test_every_part_of_a_picture_counts() -> None:
    model = torch.nn.Linear(2, 2)
    before = capture(model)
    assert not differ(before, capture(model))
    model.eval()
    assert differ(before, capture(model))


def test_it_stops_at_the_first_mismatch() -> None:
    actual = Watched({"a": 1, "b": 2, "c": 3})
    assert differ({"a": 1, "b": 0, "c": 0}, actual)
    assert actual.read == {"a", "b"}


class Counter:
    def __init__(self, count: int) -> None:
        self.count = count


def test_a_frozen_object_is_compared_with_a_live_one() -> None:
    frozen = freeze({"counter": Counter(1)})

    assert not differ(frozen, {"counter": Counter(1)})
    assert [m.path for m in compare(frozen, {"counter": Counter(2)})] == ["counter.count"]
    assert [m.kind for m in compare(frozen, {"counter": 1})] == ["type"]
