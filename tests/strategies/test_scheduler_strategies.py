"""Drawn schedulers are valid, varied, and come back from a checkpoint as they were."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch
from hypothesis import find, settings
from hypothesis import strategies as st
from optimizer_draws import many, network, run_of
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import ChainedScheduler, LambdaLR, OneCycleLR, ReduceLROnPlateau, SequentialLR
from torch.optim.swa_utils import SWALR

from pytest_ckpt import UsageError, check_training_run, scheduler_run
from pytest_ckpt.strategies import optimizers, schedulers
from pytest_ckpt.strategies.optimization import scheduler_kinds, symbols
from pytest_ckpt.strategies.optimization.optimizer_recipes import optimizer_recipes
from pytest_ckpt.strategies.optimization.scheduler_kinds import torch_schedulers
from pytest_ckpt.strategies.optimization.scheduler_recipes import SchedulerRecipe, scheduler_recipes


def adam(lr: float = 0.01) -> Optimizer:
    return torch.optim.Adam(network().parameters(), lr=lr)


def test_every_scheduler_of_torch_turns_up_with_every_argument() -> None:
    recipes = many(scheduler_recipes(), 1200)

    assert {recipe.cls for recipe in recipes} == set(torch_schedulers())
    assert {ChainedScheduler, LambdaLR, OneCycleLR, ReduceLROnPlateau, SequentialLR, SWALR} <= set(torch_schedulers())
    drawn = {name for recipe in recipes for name in recipe.options}
    assert drawn >= {"T_0", "T_max", "anneal_epochs", "base_lr", "cycle_momentum", "epochs", "eta_min", "gamma"}
    assert drawn >= {"max_lr", "milestones", "min_lr", "mode", "patience", "scale_fn", "scale_mode", "swa_lr"}
    assert drawn >= {"three_phase", "threshold_mode", "total_iters", "total_steps"}
    functions = {recipe.options["lr_lambda"].form for recipe in recipes if "lr_lambda" in recipe.options}
    assert functions == {"function", "lambda", "object"}
    assert {(r.cls, len(r.parts)) for r in recipes if r.parts} == {
        (cls, count) for cls in (ChainedScheduler, SequentialLR) for count in (1, 2, 3)
    }
    parts = {part.cls for recipe in recipes for part in recipe.parts}
    assert parts == set(torch_schedulers()) - {ChainedScheduler, SequentialLR, ReduceLROnPlateau}


def test_drawn_schedulers_come_back_from_a_checkpoint() -> None:
    for recipe in many(scheduler_recipes(), 16):
        check_training_run(scheduler_run(recipe.build), formats=["torch"])


def test_any_scheduler_goes_with_any_optimizer() -> None:
    pairs = st.tuples(optimizer_recipes(), scheduler_recipes())

    for optimizer, scheduler in many(pairs, 12):
        check_training_run(run_of(optimizer, scheduler), formats=["torch"])


def test_cycled_momentum_is_left_out_where_there_is_none() -> None:
    recipes = many(scheduler_recipes(classes=[lr_scheduler.CyclicLR, OneCycleLR]), 40)

    for recipe in recipes:
        asked = recipe.options.get("cycle_momentum", True)
        assert recipe.build(adam()).cycle_momentum == asked
        assert not recipe.build(torch.optim.Adagrad(network().parameters())).cycle_momentum
    assert {recipe.options.get("cycle_momentum", True) for recipe in recipes} == {False, True}


def test_schedulers_step_as_often_as_they_were_asked_to() -> None:
    for recipe in many(scheduler_recipes(max_steps=30), 150):
        optimizer = adam()
        scheduler = recipe.build(optimizer)
        optimizer.step()
        for _ in range(30):
            scheduler.step(*([1.0] if recipe.needs_metric else []))
        assert all(0 <= group["lr"] < 1 for group in optimizer.param_groups), recipe


def test_shares_of_the_learning_rate_are_taken_group_by_group() -> None:
    first, second = list(network().parameters()), list(network().parameters())
    given: list[dict[str, Any]] = [{"params": first}, {"params": second, "lr": 0.1}]
    groups = torch.optim.SGD(given, lr=0.01)
    recipe = SchedulerRecipe(cls=SWALR, options={"swa_lr": symbols.OfLr(0.5)})

    recipe.build(groups)

    assert [group["swa_lr"] for group in groups.param_groups] == [0.005, 0.05]
    assert recipe.build(adam()).optimizer.param_groups[0]["swa_lr"] == 0.005


@pytest.mark.parametrize(
    ("wanted", "shrunk"),
    [
        (lambda r: True, "ConstantLR(optimizer)"),
        (lambda r: "step_size" in r.options, "StepLR(optimizer, step_size=2)"),
        (lambda r: r.needs_metric, "ReduceLROnPlateau(optimizer)"),
        (lambda r: r.cls is LambdaLR, "LambdaLR(optimizer, lr_lambda=Decay(0.8))"),
        (
            lambda r: len(r.parts) == 2 and not r.milestones,
            "ChainedScheduler([ConstantLR(optimizer), ConstantLR(optimizer)])",
        ),
        (
            lambda r: len(r.milestones) == 1,
            "SequentialLR(optimizer, [ConstantLR(optimizer), ConstantLR(optimizer)], milestones=[1])",
        ),
    ],
)
def test_recipes_shrink_to_the_python_that_shows_it(wanted: Any, shrunk: str) -> None:
    found = find(scheduler_recipes(), wanted, settings=settings(max_examples=2000, database=None, derandomize=True))

    assert repr(found) == shrunk


def test_a_recipe_builds_what_its_repr_says_any_number_of_times() -> None:
    for recipe in many(scheduler_recipes(), 200):
        names = {**vars(lr_scheduler), "SWALR": SWALR, "Decay": symbols.Decay, "halve": symbols.halve, "lr": 0.01}
        rates = [rates_of(recipe, eval(repr(recipe), names | {"optimizer": (optimizer := adam())}), optimizer)]
        rates += [rates_of(recipe, recipe.build(optimizer := adam()), optimizer) for _ in range(2)]

        assert rates[0] == rates[1] == rates[2], recipe


def rates_of(recipe: SchedulerRecipe, scheduler: Any, optimizer: Optimizer) -> list[float]:
    rates = []
    optimizer.step()
    for number in range(8):
        rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step(*([1.0 + number] if recipe.needs_metric else []))
    return rates


def test_recipes_are_data() -> None:
    for recipe in many(scheduler_recipes(), 60):
        assert pickle.loads(pickle.dumps(recipe)) == recipe


def test_what_is_drawn_is_kept() -> None:
    begun = 0

    @st.composite
    def counted(draw: st.DrawFn) -> SchedulerRecipe:
        nonlocal begun
        begun += 1
        return draw(scheduler_recipes())

    assert len(many(counted(), 400)) == 400
    assert begun < 1.05 * 400


def test_schedulers_are_drawn_with_their_optimizers() -> None:
    parameters = list(network().parameters())

    drawn = many(schedulers(optimizers(parameters), classes=[LambdaLR]), 10)
    assert len({id(scheduler.optimizer) for scheduler in drawn}) == 10

    one = adam()
    drawn = many(schedulers(one), 20)
    assert all(scheduler.optimizer is one for scheduler in drawn)
    assert len({type(scheduler) for scheduler in drawn}) > 3


def test_a_scheduler_of_another_torch_turns_up_unless_it_asks_for_the_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Novel(lr_scheduler.StepLR):
        pass

    class Demanding(lr_scheduler.StepLR):
        def __init__(self, optimizer: Optimizer, temperature: float) -> None:
            super().__init__(optimizer, 1)

    monkeypatch.setattr(lr_scheduler, "Novel", Novel, raising=False)
    monkeypatch.setattr(lr_scheduler, "Demanding", Demanding, raising=False)
    scheduler_kinds._torch_kinds.cache_clear()
    try:
        drawn = {recipe.cls.__name__ for recipe in many(scheduler_recipes(), 600)}
    finally:
        scheduler_kinds._torch_kinds.cache_clear()

    assert drawn & {"Novel", "Demanding"} == {"Novel"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_steps": 0}, "max_steps=0, max_parts=3; they are at least 1."),
        ({"max_parts": 0}, "max_steps=20, max_parts=0; they are at least 1."),
        ({"classes": []}, "classes=(); name at least one scheduler to draw."),
        (
            {"classes": [LambdaLR, dict]},
            "There is no scheduler dict to draw. Make it known first: register_scheduler(dict).",
        ),
    ],
)
def test_what_cannot_be_drawn_is_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        many(scheduler_recipes(**options), 1)

    assert str(raised.value) == message
