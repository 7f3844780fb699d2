"""Optimizers and schedulers of third parties are drawn as torch's own are, once they are registered."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Literal

import pytest
import torch
from hypothesis import find
from hypothesis import strategies as st
from optimizer_draws import many, network, run_of
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from pytest_ckpt import UsageError, check_training_run, scheduler_run
from pytest_ckpt.strategies import optimizers, register_optimizer, register_scheduler
from pytest_ckpt.strategies.optimization.optimizer_recipes import optimizer_recipes
from pytest_ckpt.strategies.optimization.scheduler_recipes import scheduler_recipes


class Rounding(enum.Enum):
    NEAREST = "nearest"
    DOWN = "down"


class Lion(Optimizer):
    """With arguments of each kind that can be inferred."""

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        cautious: bool = False,
        norm: Literal["l1", "l2"] | None = None,
        rounding: Rounding = Rounding.NEAREST,
        clip: float = 1.0,
        foreach: bool | None = None,
        **others: float,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "cautious": cautious}
        super().__init__(params, {**defaults, "norm": norm, "rounding": rounding.value, "clip": clip})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                momentum.lerp_(parameter.grad, 1 - group["betas"][0])
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * momentum.sign())


class SharpnessAware(torch.optim.SGD):
    """Its step needs a closure."""

    def step(self, closure: Callable[[], torch.Tensor]) -> None:  # type: ignore[override]
        closure()
        super().step()


class Demanding(torch.optim.SGD):
    def __init__(self, params: Iterable[Parameter], temperature: float, untyped) -> None:  # type: ignore[no-untyped-def]
        super().__init__(params)


class InverseSquareRoot(LRScheduler):
    def __init__(self, optimizer: Optimizer, warmup_steps: int, gamma: float = 1.0, last_epoch: int = -1) -> None:
        self.warmup_steps, self.gamma = warmup_steps, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float | torch.Tensor]:
        scale = self.gamma * max(self.last_epoch, self.warmup_steps) ** -0.5
        return [rate * scale for rate in self.base_lrs]


class HalvedByLoss:
    """No LRScheduler, and its step needs the loss."""

    def __init__(self, optimizer: Optimizer, limit: float) -> None:
        self.optimizer, self.limit = optimizer, limit

    def step(self, loss: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.5 if loss > self.limit else 1.0

    def state_dict(self) -> dict[str, float]:
        return {"limit": self.limit}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.limit = state_dict["limit"]


@pytest.fixture
def registering() -> Iterator[Callable[[Callable[[], None]], Callable[[], None]]]:
    """Takes back in the end what a test registers, even if it fails."""
    with ExitStack() as stack:
        yield stack.callback


def test_a_registered_optimizer_is_drawn_with_what_its_signature_says(registering: Any) -> None:
    strategy = optimizer_recipes()  # made before, drawn after
    registering(register_optimizer(Lion))

    recipes = [recipe for recipe in many(strategy, 600) if recipe.cls is Lion]

    options = {(name, str(value)) for recipe in recipes for name, value in recipe.options.items()}
    assert {name for name, _ in options} == {"lr", "betas", "weight_decay", "cautious", "norm", "rounding"}
    assert options >= {("lr", "0.01"), ("lr", "0.1"), ("betas", "(0.5, 0.9)"), ("cautious", "True")}
    assert options >= {("norm", "l1"), ("norm", "l2"), ("rounding", "Rounding.DOWN"), ("weight_decay", "0.1")}
    assert all("lr" in recipe.options for recipe in recipes), "it has no default"
    assert {len(recipe.groups) for recipe in recipes} == {0, 2, 3}
    assert {recipe.named for recipe in recipes} == {False, True}
    assert repr(find(optimizer_recipes(classes=[Lion]), lambda r: True)) == "Lion(parameters, lr=0.01)"
    assert repr(find(optimizer_recipes(), lambda r: True)) == "torch.optim.SGD(parameters)"


def test_registered_classes_pass_the_checks(registering: Any) -> None:
    registering(register_optimizer(Lion))
    registering(register_optimizer(SharpnessAware))
    registering(register_scheduler(InverseSquareRoot))
    registering(register_scheduler(HalvedByLoss, st.fixed_dictionaries({"limit": st.sampled_from([0.1, 1.0])})))
    optimizer = optimizer_recipes(classes=[Lion, SharpnessAware])
    scheduler = scheduler_recipes(classes=[InverseSquareRoot, HalvedByLoss])

    drawn = many(st.tuples(optimizer, scheduler), 12)
    for pair in drawn:
        check_training_run(run_of(*pair), formats=["torch"])
    check_training_run(scheduler_run(drawn[0][1].build), formats=["torch"])

    assert {(pair[0].cls, pair[0].needs_closure) for pair in drawn} == {(Lion, False), (SharpnessAware, True)}
    assert {(pair[1].cls, pair[1].needs_metric) for pair in drawn} == {(InverseSquareRoot, False), (HalvedByLoss, True)}


def test_registered_schedulers_are_parts_of_others_where_torch_steps_them(registering: Any) -> None:
    registering(register_scheduler(InverseSquareRoot))
    registering(register_scheduler(HalvedByLoss, st.just({"limit": 1.0})))

    parts = {part.cls for recipe in many(scheduler_recipes(), 800) for part in recipe.parts}

    assert InverseSquareRoot in parts
    assert HalvedByLoss not in parts


def test_a_strategy_says_what_a_signature_does_not(registering: Any) -> None:
    arguments = st.fixed_dictionaries({"temperature": st.sampled_from([1.0, 2.0]), "untyped": st.none()})
    registering(register_optimizer(Demanding, arguments, param_groups=False, gradients=["dense", "sparse"]))

    recipes = many(optimizer_recipes(classes=[Demanding]), 20)
    assert {recipe.options["temperature"] for recipe in recipes} == {1.0, 2.0}
    assert {recipe.groups for recipe in recipes} == {()}
    assert many(optimizer_recipes(classes=[Demanding], gradients="sparse"), 1)[0].gradients == "sparse"
    with pytest.raises(UsageError, match="No optimizer is left to draw with classes=\\[Demanding\\]"):
        many(optimizer_recipes(classes=[Demanding], complex_parameters=True), 1)


def test_groups_differ_in_what_a_strategy_gives(registering: Any) -> None:
    rates = st.fixed_dictionaries({"lr": st.sampled_from([0.5, 0.25]), "cautious": st.booleans()})
    registering(register_optimizer(Lion, rates))

    drawn = many(optimizers(network().parameters(), classes=[Lion], min_groups=2, max_groups=2), 40)

    groups = [made.param_groups for made in drawn]
    assert {(first["lr"], second["lr"]) for first, second in groups} == {
        (a, b) for a in (0.5, 0.25) for b in (0.5, 0.25)
    }
    assert all(first["cautious"] == second["cautious"] for first, second in groups)


def test_what_was_registered_can_be_taken_back() -> None:
    undo_optimizer, undo_scheduler = register_optimizer(Lion), register_scheduler(InverseSquareRoot)
    undo_optimizer()
    undo_scheduler()
    undo_scheduler()  # no harm done

    with pytest.raises(UsageError) as raised:
        many(optimizer_recipes(classes=[Lion]), 1)
    assert str(raised.value) == "There is no optimizer Lion to draw. Make it known first: register_optimizer(Lion)."
    with pytest.raises(UsageError, match="There is no scheduler InverseSquareRoot to draw"):
        many(scheduler_recipes(classes=[InverseSquareRoot]), 1)


def test_what_cannot_be_inferred_is_named() -> None:
    with pytest.raises(UsageError) as raised:
        register_optimizer(Demanding)
    assert str(raised.value) == (
        "Nothing says what values the parameter 'temperature' of Demanding may have: it has no default and a float "
        "may be anything. Pass them as a strategy of keyword arguments: "
        'hyper_parameters=st.fixed_dictionaries({"temperature": ...}).'
    )
    with pytest.raises(UsageError) as raised:
        register_scheduler(HalvedByLoss)
    assert "the parameter 'limit' of HalvedByLoss" in str(raised.value)


@pytest.mark.parametrize(
    ("register", "arguments", "message"),
    [
        (
            register_optimizer,
            (dict,),
            "register_optimizer() got <class 'dict'>; it takes a subclass of torch.optim.Optimizer.",
        ),
        (register_optimizer, (torch.optim.Adam,), "The optimizer Adam is drawn already. Register a class once."),
        (
            register_scheduler,
            (dict,),
            "register_scheduler() got <class 'dict'>; "
            "it takes a class with the methods step, state_dict and load_state_dict.",
        ),
        (
            register_scheduler,
            (torch.optim.lr_scheduler.StepLR,),
            "The scheduler StepLR is drawn already. Register a class once.",
        ),
    ],
)
def test_what_cannot_be_registered_is_told(register: Any, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        register(*arguments)

    assert str(raised.value) == message


def test_gradients_are_dense_or_sparse() -> None:
    with pytest.raises(UsageError) as raised:
        register_optimizer(Lion, gradients=["rare"])  # type: ignore[list-item]

    assert str(raised.value) == "gradients=['rare']; it names at least one of 'dense' and 'sparse'."
