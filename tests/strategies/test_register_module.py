"""Modules of one's own among those that are drawn."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest
import torch
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from torch import nn

from pytest_ckpt import UsageError, check_training_run, module_run
from pytest_ckpt.comparison import compare
from pytest_ckpt.state import get_random_state
from pytest_ckpt.strategies import DrawnModule, modules, register_module
from pytest_ckpt.strategies.networks.calls import ModuleRecipe
from pytest_ckpt.strategies.networks.recipes import module_recipes
from pytest_ckpt.strategies.networks.registration import registered_kinds

EXACT = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))


class Gate(nn.Module):
    """Everything it needs can be inferred; it returns more than a tensor."""

    def __init__(self, features: int, hidden: int, *, depth: int = 1) -> None:
        super().__init__()
        self.inner = nn.Linear(features, hidden)
        self.outer = nn.Linear(hidden, features)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, str]:
        return torch.sigmoid(self.outer(self.inner(x))) * x, "gated"


class Heads(nn.Module):
    """Its width must be that of the input, and is called otherwise."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        return {"count": 3, "output": self.attention(x, x, x)[0]}


class Mode(enum.Enum):
    ADD = "add"
    SCALE = "scale"


@dataclass(frozen=True)
class Config:
    mode: Mode
    rate: float
    side: Literal["left", "right"]
    shift: int | None
    scale: bool = True


class Configured(nn.Module):
    def __init__(self, dim: int, config: Config) -> None:
        super().__init__()
        assert 0 < config.rate < 1
        assert config.mode in Mode
        assert config.side in ("left", "right")
        assert config.shift is None or 1 <= config.shift <= 4
        self.weight = nn.Parameter(torch.randn(dim))
        self.config = config

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mul(self.weight).sum(-1)


class Pair(nn.Module):
    """Takes two inputs of sizes of its own."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(torch.rand(size))

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return left @ torch.diag(self.weight) @ right.T


class Nothing(nn.Module):
    def forward(self, *args: Any) -> str:
        return "nothing"


def pair_inputs(module: Pair) -> dict[str, torch.Tensor]:
    return {"left": torch.rand(2, module.size), "right": torch.rand(3, module.size)}


def drawn_with(kind: type, count: int = 150, **options: Any) -> list[DrawnModule]:
    """Return those of the drawn modules that hold a registered one."""
    found: list[DrawnModule] = []

    @settings(EXACT, max_examples=count, phases=[Phase.generate])
    @given(modules(**options))
    def collect(module: DrawnModule) -> None:
        if any(isinstance(part, kind) for part in module.modules()):
            found.append(module)

    collect()
    return found


REGISTRATIONS: dict[str, tuple[type, Callable[[], Any]]] = {
    "by its hints": (Gate, lambda: register_module(Gate, inputs="vector")),
    "for a sequence": (Gate, lambda: register_module(Gate, inputs="sequence")),
    "for an image": (nn.BatchNorm2d, lambda: register_module(nn.BatchNorm2d, inputs="image")),
    "for tokens": (nn.Embedding, lambda: register_module(nn.Embedding, inputs="tokens")),
    "by hints within hints": (Configured, lambda: register_module(Configured, inputs="vector")),
    "with a strategy": (Gate, lambda: register_module(Gate, {"hidden": st.just(7)}, inputs="vector")),
    "with a strategy of a mapping": (
        Pair,
        lambda: register_module(Pair, st.fixed_dictionaries({"size": st.integers(2, 3)}), inputs=pair_inputs),
    ),
    "with what depends on the input": (
        Heads,
        lambda: register_module(
            Heads, lambda shape: {"width": st.just(shape.features), "heads": st.just(1)}, inputs="sequence"
        ),
    ),
    "with inputs of its own": (Pair, lambda: register_module(Pair, inputs=pair_inputs)),
}


@pytest.mark.parametrize("name", REGISTRATIONS)
def test_a_registered_module_is_drawn_and_trains(name: str) -> None:
    kind, register = REGISTRATIONS[name]

    with register():
        found = drawn_with(kind)

    assert found
    for module in found:
        assert module.loss().isfinite()
        if any(parameter.requires_grad for parameter in module.parameters()):
            module.loss().backward()


def test_it_is_nested_in_other_layers_and_others_stand_beside_it() -> None:
    with register_module(Gate, inputs="vector"):
        found = drawn_with(Gate, 300)

    paths = [name for module in found for name, part in module.named_modules() if isinstance(part, Gate)]
    assert max(path.count(".") for path in paths) >= 3
    assert any(len(module.body) > 1 for module in found if isinstance(module.body, nn.Sequential))


def test_what_is_undone_is_drawn_no_longer() -> None:
    before = registered_kinds()
    registration = register_module(Gate, inputs="vector")
    assert drawn_with(Gate)

    registration.undo()
    registration.undo()

    assert not drawn_with(Gate)
    assert registered_kinds() == before


def test_a_registered_module_is_told_in_the_statistics_and_in_the_recipe() -> None:
    with register_module(Gate, {"hidden": st.just(3)}, inputs="vector"):
        smallest = find(module_recipes(), lambda recipe: "Gate" in recipe.kinds, settings=EXACT)

    assert repr(smallest.body) == "FirstOutput(Gate(hidden=3, features=2))"
    assert smallest.kinds == ("Gate",)


def test_a_registered_module_is_checked_like_any_other() -> None:
    with register_module(Pair, inputs=pair_inputs):
        often = settings(EXACT, max_examples=2000)
        recipe: ModuleRecipe = find(module_recipes(), lambda recipe: "Pair" in recipe.kinds, settings=often)

        check_training_run(module_run(recipe.build, inputs=lambda: recipe.example_inputs(1)), steps=3)


def test_drawing_leaves_the_random_state_alone() -> None:
    with register_module(Pair, inputs=pair_inputs), register_module(Gate, inputs="vector"):

        @settings(EXACT, max_examples=60)
        @given(st.data())
        def draw(data: st.DataObject) -> None:
            before = get_random_state()
            data.draw(modules())
            assert not compare(before, get_random_state())

        draw()


def unhinted(mystery, **rest):  # type: ignore[no-untyped-def]
    return nn.Identity()


def of_text(name: str) -> nn.Module:
    return nn.Identity()


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "no hint": (
        lambda: register_module(unhinted, inputs="vector"),
        "register_module(unhinted) cannot tell what to draw for the parameter 'mystery'. "
        "Give it a strategy: register_module(unhinted, {'mystery': ...}, inputs=...).",
    ),
    "a hint that says too little": (
        lambda: register_module(of_text, inputs="vector"),
        "register_module(of_text) cannot tell what to draw for the parameter 'name: str'. "
        "Give it a strategy: register_module(of_text, {'name': ...}, inputs=...).",
    ),
    "a parameter there is not": (
        lambda: register_module(Gate, {"widht": st.just(1)}, inputs="vector"),
        "register_module(Gate) has a strategy for 'widht', which is not among its parameters: features, hidden, depth.",
    ),
    "a kind of inputs there is not": (
        lambda: register_module(Gate, inputs="graph"),
        "register_module(Gate, inputs='graph'): the kinds of inputs are 'vector', 'sequence', 'image', 'tokens'; "
        "for anything else give a function from the module to its inputs.",
    ),
    "a value for a strategy": (
        lambda: register_module(Gate, {"hidden": 3}, inputs="vector"),  # type: ignore[dict-item]
        "register_module(Gate): its arguments are {'hidden': 3}. Give a mapping of parameter to strategy, such as "
        "{'width': st.integers(2, 8)}, or a strategy of a dict.",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_at_once(name: str) -> None:
    mistake, message = MISTAKES[name]
    before = registered_kinds()

    with pytest.raises(UsageError) as caught:
        mistake()

    assert str(caught.value) == message
    assert registered_kinds() == before


def message_when_drawn(register: Callable[[], Any]) -> str:
    with register(), pytest.raises(UsageError) as caught:
        drawn_with(nn.Module, 300)
    return str(caught.value)


def test_arguments_that_do_not_fit_are_told_when_drawn() -> None:
    message = message_when_drawn(lambda: register_module(Heads, inputs="sequence"))

    assert message.startswith("register_module(): Heads(")
    assert "cannot be built and called with Sequence(batch=" in message
    assert message.endswith(
        "Where an argument depends on what flows in, give arguments=lambda shape: {...: st.just(shape.features)}."
    )


def test_an_output_that_is_none_is_told_when_drawn() -> None:
    message = message_when_drawn(lambda: register_module(Nothing, inputs="vector"))

    assert message.startswith("register_module(): Nothing() called with Vector(batch=")
    assert " returned str. Its output must hold a floating-point tensor with the batch of " in message


def test_no_output_of_inputs_of_its_own_is_told_when_drawn() -> None:
    message = message_when_drawn(lambda: register_module(Nothing, inputs=lambda module: torch.ones(1)))

    assert "TypeError: the module returned no floating-point tensor." in message
