"""Putting a saved state back into live components."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pytest_ckpt.comparison import compare
from pytest_ckpt.errors import UsageError
from pytest_ckpt.runs.restoring import fill, load_order, restore_component, restore_generator
from pytest_ckpt.state import capture
from pytest_ckpt.state.freezing import freeze, generator_state


class Counter:
    def __init__(self, count: int) -> None:
        self.count = count

    def state_dict(self) -> dict[str, int]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.count = state["count"]


GENERATORS: dict[str, tuple[Callable[[int], Any], Callable[[Any], float]]] = {
    "torch": (lambda seed: torch.Generator().manual_seed(seed), lambda it: torch.rand((), generator=it).item()),
    "numpy": (np.random.default_rng, lambda it: float(it.random())),
    "numpy legacy": (np.random.RandomState, lambda it: float(it.random())),
    "python": (random.Random, lambda it: it.random()),
}

COMPONENTS: dict[str, Callable[[int], Any]] = {
    **{name: make for name, (make, _) in GENERATORS.items()},
    "stateful": Counter,
    "module": lambda seed: nn.Linear(1, 1).requires_grad_(False).double().float().apply(lambda m: fill_with(m, seed)),
    "tensor": lambda seed: torch.tensor([seed]),
    "parameter": lambda seed: nn.Parameter(torch.tensor([float(seed)])),
    "dict": lambda seed: {"seen": torch.full((seed,), seed), "best": seed, "tags": {seed}, str(seed): 1},
    "list": lambda seed: [seed, [torch.tensor(seed)]],
}


def fill_with(module: nn.Module, value: int) -> None:
    for parameter in module.parameters():
        parameter.fill_(value)


@pytest.mark.parametrize("kind", COMPONENTS)
def test_every_kind_of_component_is_restored(kind: str) -> None:
    saved, fresh = COMPONENTS[kind](1), COMPONENTS[kind](2)
    tree = capture({"it": saved})
    assert compare(tree.state, capture({"it": fresh}).state)

    restore_component("it", fresh, tree.raw["it"])

    assert not compare(tree.state, capture({"it": fresh}).state)


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_restored_generator_draws_the_same(kind: str) -> None:
    make, draw = GENERATORS[kind]
    saved, fresh = make(1), make(2)
    draw(saved)
    state = generator_state(saved)
    drawn = [draw(saved) for _ in range(3)]

    restore_generator(fresh, state)

    assert [draw(fresh) for _ in range(3)] == drawn


def test_a_python_generator_takes_lists_where_a_format_knows_no_tuples() -> None:
    version, internal, gauss = random.Random(1).getstate()
    generator = random.Random(2)

    restore_generator(generator, [version, list(internal), gauss])

    assert generator.getstate() == random.Random(1).getstate()


def test_containers_and_their_tensors_are_overwritten_in_place() -> None:
    tensor, other = torch.zeros(2), torch.zeros(2)
    component: dict[str, Any] = {"same shape": tensor, "other shape": other, "gone": 1}
    items: list[Any] = [1, 2, 3]
    alias = items

    restore_component("d", component, {"same shape": torch.ones(2), "other shape": torch.ones(3), "new": {1}})
    restore_component("l", items, [4])

    assert component["same shape"] is tensor
    assert tensor.tolist() == [1, 1]
    assert (other.tolist(), component["other shape"].tolist()) == ([0, 0], [1, 1, 1])
    assert set(component) == {"same shape", "other shape", "new"}
    assert component["new"] == {1}
    assert alias == [4]


@pytest.mark.parametrize("component", [(1, 2), 3, np.ones(1)])
def test_what_cannot_be_loaded_into_is_refused(component: Any) -> None:
    with pytest.raises(UsageError) as caught:
        restore_component("epoch", component, component)

    assert str(caught.value) == (
        f"The component 'epoch' is a {type(component).__name__}, which has no load_state_dict(). "
        "Add one, or give TrainingRun save= and load=."
    )


def test_modules_are_loaded_before_optimizers_and_these_before_the_rest() -> None:
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer)
    components = {"a": scheduler, "b": Counter(1), "c": optimizer, "d": model, "e": nn.ReLU()}

    assert load_order(components) == ["d", "e", "c", "a", "b"]


FILLED: dict[str, tuple[Any, Any]] = {
    "tensor": (torch.zeros(2), torch.ones(2)),
    "generator": (random.Random(1), random.Random(2)),
    "picture of a generator": (torch.Generator().manual_seed(1), freeze(torch.Generator().manual_seed(2))),
    "list": ([1], [2, 3]),
    "deque": (deque([1]), [2, 3]),
    "dict": ({"a": 1}, {"b": 2}),
}


@pytest.mark.parametrize("kind", FILLED)
def test_a_live_value_is_filled_in_place(kind: str) -> None:
    current, value = FILLED[kind]

    assert fill(current, value)

    assert not compare(freeze(value), freeze(current))


@pytest.mark.parametrize(
    ("current", "value"), [(1, 2), (torch.ones(1), torch.ones(2)), ([1], {"a": 1}), ({"a": 1}, None)]
)
def test_what_cannot_be_filled_is_left_alone(current: Any, value: Any) -> None:
    before = freeze(current)

    assert not fill(current, value)

    assert not compare(before, current)


def test_a_container_can_be_filled_with_itself() -> None:
    items, entries = [1], {"a": 1}

    assert fill(items, items)
    assert fill(entries, entries)

    assert (items, entries) == ([1], {"a": 1})
