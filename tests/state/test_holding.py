"""What each kind of object holds, under which name, and how another value is put in its place."""

# Longer than 250 lines because there are many kinds of objects that hold something.

from __future__ import annotations

import functools
import json
from collections import deque
from collections.abc import Generator
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import torch
import zoo_parts
from torch import nn

from pytest_ckpt.paths import spell
from pytest_ckpt.state.holding import children

STEPS = [0]
SWITCHED_OFF: Any = None


class Odd:
    """A key that no path can spell."""


def held(value: Any) -> list[tuple[str, Any]]:
    """Return what an object at ``x`` holds: path and value, in order."""
    return [(spell(keys), item) for keys, item, _ in children(("x",), value)]


def put(owner: Any, path: str, value: Any) -> None:
    """Put another value at a path below an owner at ``x``."""
    (assign,) = [assign for keys, _, assign in children(("x",), owner) if spell(keys) == path]
    assert assign is not None
    assign(owner, value)


def fixed(value: Any) -> set[str]:
    """Return the paths where nothing else can be put."""
    return {spell(keys) for keys, _, assign in children(("x",), value) if assign is None}


def test_a_mapping_holds_its_values_under_their_keys() -> None:
    odd = Odd()
    mapping = {"a": 1, odd: 2, (1, 2): 3, None: 4, 1.5: 5}

    assert held(mapping) == [("x.a", 1), ("x[1]", 2), ("x[(1, 2)]", 3), ("x[None]", 4), ("x[1.5]", 5)]
    assert held(MappingProxyType({"a": 1})) == [("x.a", 1)]
    put(mapping, "x[1]", 6)
    put(mapping, "x.a", 7)
    assert (mapping[odd], mapping["a"], len(mapping)) == (6, 7, 5)


def test_a_sequence_holds_its_items_under_their_numbers() -> None:
    items, queue = [1, 2], deque([3, 4])

    assert held(items) == [("x[0]", 1), ("x[1]", 2)]
    assert held(queue) == [("x[0]", 3), ("x[1]", 4)]
    assert held((5, 6)) == [("x[0]", 5), ("x[1]", 6)]
    put(items, "x[1]", 7)
    put(queue, "x[0]", 8)
    assert (items, queue) == ([1, 7], deque([8, 4]))
    assert fixed((5, 6)) == {"x[0]", "x[1]"}


def test_of_a_large_container_only_the_first_items_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_ckpt.state.holding._ITEM_LIMIT", 2)

    assert held({"a": 1, "b": 2, "c": 3}) == [("x.a", 1), ("x.b", 2)]
    assert held([1, 2, 3]) == [("x[0]", 1), ("x[1]", 2)]


class Part(nn.Module):
    """Holds something of everything that a module can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.register_parameter("bias", None)
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("later", None)
        self.inner = nn.Identity()
        self.calls = 3


def hook(*args: Any, **options: Any) -> None:
    """Is called with whatever torch hands a hook."""


def test_a_module_holds_parameters_buffers_modules_and_attributes_of_its_own() -> None:
    part = Part()
    part.weight.decay = 0.5  # type: ignore[attr-defined]

    assert held(part) == [
        ("x.weight.grad", None),
        ("x.weight", part.weight),
        ("x.weight.requires_grad", True),
        ("x.weight.decay", 0.5),
        ("x.mean", part.mean),
        ("x.later", None),
        ("x.inner", part.inner),
        ("x.training", True),
        ("x.calls", 3),
    ]
    assert fixed(part) == {"x.inner"}


def test_hooks_are_counted_and_numbered_anew() -> None:
    part = Part()
    part.register_forward_hook(hook)
    part.register_forward_hook(hook)
    part.register_forward_pre_hook(hook)
    part.weight.register_hook(hook)

    hooks = [(path, item) for path, item in held(part) if "hooks" in path]

    assert hooks == [
        ("x.weight.backward_hooks.count", 1),
        ("x.weight.backward_hooks[0]", hook),
        ("x.forward_hooks.count", 2),
        ("x.forward_hooks[0]", hook),
        ("x.forward_hooks[1]", hook),
        ("x.forward_pre_hooks.count", 1),
        ("x.forward_pre_hooks[0]", hook),
    ]
    assert {path for path, _ in hooks} < fixed(part)


def test_what_is_put_into_a_module_is_a_copy() -> None:
    part, weight, mean = Part(), torch.full((2,), 2.0, requires_grad=True), torch.full((2,), 4.0)
    before, gradient = part.weight, torch.full((2,), 3.0)

    put(part, "x.weight", weight)
    put(part, "x.weight.grad", gradient)
    put(part, "x.mean", mean)
    put(part, "x.calls", 5)
    gradient += 1
    with torch.no_grad():
        weight += 1

    assert part.weight is before
    assert part.weight.requires_grad
    assert part.weight.tolist() == [2.0, 2.0]
    assert part.weight.grad is not None
    assert part.weight.grad.tolist() == [3.0, 3.0]
    assert part.mean is mean
    assert part.calls == 5
    put(part, "x.weight.requires_grad", False)
    assert not part.weight.requires_grad
    put(part, "x.weight.grad", None)
    assert part.weight.grad is None


def test_an_attribute_of_a_parameter_can_be_put_back() -> None:
    part = Part()
    part.weight.decay = 0.5  # type: ignore[attr-defined]

    put(part, "x.weight.decay", 0.25)

    assert part.weight.decay == 0.25  # type: ignore[attr-defined]


def test_an_object_holds_its_attributes_and_its_class() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.steps: Any = 1

        def __setattr__(self, name: str, value: Any) -> None:
            object.__setattr__(self, name, value + 0)

    trainer = Trainer()

    assert held(trainer) == [("x.steps", 1), ("Trainer", Trainer)]
    assert fixed(trainer) == {"Trainer"}
    put(trainer, "x.steps", "what __setattr__ would refuse")
    assert trainer.steps == "what __setattr__ would refuse"
    assert held(SimpleNamespace(steps=1)) == [("x.steps", 1)]


class Counting(torch.optim.SGD):
    """Counts beside what torch keeps."""

    steps = 0

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, lr=0.1)
        self.counted = 2


def test_an_optimizer_holds_its_own_attributes_and_hooks() -> None:
    """The rest is in its state dict, or torch's own business."""
    optimizer = Counting([torch.ones(1, requires_grad=True)])
    optimizer.register_step_post_hook(hook)

    names = {path.removeprefix("x.") for path, _ in held(optimizer)}

    assert {"counted", "optimizer_step_post_hooks.count", "optimizer_step_post_hooks[0]", "Counting"} <= names
    assert names.isdisjoint(["state", "param_groups", "_optimizer_step_post_hooks", "_optimizer_step_pre_hooks"])


class Holder:
    """A class that keeps count."""

    made = 0
    factory = Odd
    _private: Any = None

    def method(self) -> None:
        """Is held by the class."""

    @staticmethod
    def static() -> None:
        """Is held by the class."""

    @classmethod
    def of_class(cls) -> None:
        """Is held by the class."""


def test_a_class_holds_its_functions_and_what_it_counts() -> None:
    functions = [Holder.method, Holder.static, Holder.of_class.__func__]  # type: ignore[attr-defined]

    assert held(Holder) == [
        ("x.made", 0),
        ("x._private", None),
        *((function.__qualname__, function) for function in functions),
    ]
    assert fixed(Holder) == {"Holder.method", "Holder.static", "Holder.of_class"}
    put(Holder, "x.made", 4)
    made, Holder.made = Holder.made, 0
    assert made == 4


def test_a_method_holds_its_object() -> None:
    holder, items = Holder(), [1]

    assert held(holder.method) == [("Holder", holder), ("x", Holder.method)]
    assert held(Holder.of_class) == [("Holder", Holder), ("x", Holder.of_class.__func__)]  # type: ignore[attr-defined]
    assert held(items.append) == [("list", items)]
    assert fixed(holder.method) == {"Holder", "x"}


def counted(first: int) -> Generator[int, None, None]:
    reached = first
    while True:
        reached += 1
        yield reached


def test_a_method_of_a_generator_has_the_name_of_the_function() -> None:
    generator = counted(1)

    assert held(generator.send) == [("counted", generator)]


def test_a_generator_holds_its_variables() -> None:
    generator = counted(1)
    next(generator)

    assert held(generator) == [("x.first", 1), ("x.reached", 2)]
    assert fixed(generator) == {"x.first", "x.reached"}
    generator.close()
    assert held(generator) == []


def test_a_partial_holds_its_function_and_what_it_was_given() -> None:
    partial = functools.partial(hook, 1, name="a")

    assert held(partial) == [("x", hook), ("x.args", (1,)), ("x.keywords", {"name": "a"})]
    assert fixed(partial) == {"x", "x.args", "x.keywords"}


def test_a_function_holds_what_it_closes_over() -> None:
    count, rate = 1, 0.5

    def step() -> float:
        return count * rate * later

    assert held(step) == [("count", 1), ("rate", 0.5)], "a variable without a value is none yet"
    later = 2
    assert held(step) == [("count", 1), ("later", 2), ("rate", 0.5)]
    put(step, "rate", 0.25)
    assert (count, rate) == (1, 0.25)


def test_a_function_holds_the_globals_that_it_names() -> None:
    def step() -> Any:
        def inner() -> Any:
            return STEPS

        return inner, SWITCHED_OFF, len

    def count() -> None:
        global SWITCHED_OFF
        SWITCHED_OFF = 1

    assert held(step) == [("SWITCHED_OFF", None), ("STEPS", STEPS)]
    put(count, "SWITCHED_OFF", 2)
    value = globals()["SWITCHED_OFF"]
    globals()["SWITCHED_OFF"] = None
    assert value == 2


def test_a_function_holds_what_it_reads_of_the_projects_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo_parts, "seen", 3, raising=False)

    def step() -> Any:
        return zoo_parts.seen + json.decoder  # type: ignore[attr-defined]

    assert held(step) == [("zoo_parts", zoo_parts), ("zoo_parts.seen", 3), ("json", json)]
    put(step, "zoo_parts.seen", 4)
    assert vars(zoo_parts)["seen"] == 4


def test_a_function_holds_its_defaults_and_attributes() -> None:
    def step(first: int, history: Any = (), *, seen: Any = 5) -> None:
        """Keeps state where python lets it."""

    step.calls = 6  # type: ignore[attr-defined]

    assert held(step) == [("step.defaults[0]", ()), ("step.defaults.seen", 5), ("step.calls", 6)]
    assert fixed(step) == {"step.defaults[0]", "step.defaults.seen"}
    put(step, "step.calls", 7)
    assert step.calls == 7  # type: ignore[attr-defined]


def test_a_function_of_a_library_is_left_alone() -> None:
    assert held(json.dumps) == []
    assert held(functools.partial(json.dumps))[0] == ("x", json.dumps)
