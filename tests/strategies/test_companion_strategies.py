"""Drawn gradient scalers and averaged weights are varied and come back from a checkpoint as they were."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from optimizer_draws import many, network
from torch.optim.swa_utils import AveragedModel

from pytest_ckpt import TrainingRun, check_training_run
from pytest_ckpt.runs import MakeRun
from pytest_ckpt.strategies import averaged_models, scalers
from pytest_ckpt.strategies.optimization.companions import (
    AveragingRecipe,
    ScalerRecipe,
    averaging_recipes,
    scaler_recipes,
)


def run_of(scaling: ScalerRecipe, averaging: AveragingRecipe) -> MakeRun:
    """Return a ``make_run`` that trains with a scaler and keeps averaged weights; every third loss overflows."""

    def make_run() -> TrainingRun:
        model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler, averaged = scaling.build(), averaging.build(model)

        def step(number: int) -> torch.Tensor:
            generator = torch.Generator().manual_seed(number)
            optimizer.zero_grad()
            loss: torch.Tensor = model(torch.randn(4, 6, generator=generator)).square().mean()
            scaler.scale(loss * (1e38 if number % 3 == 2 and scaler.is_enabled() else 1)).backward()
            scaler.step(optimizer)
            scaler.update()
            averaged.update_parameters(model)
            return loss

        components = {"model": model, "optimizer": optimizer, "scaler": scaler, "averaged": averaged}
        return TrainingRun(components=components, step=step)

    return make_run


def test_drawn_companions_come_back_from_a_checkpoint() -> None:
    for scaling, averaging in many(st.tuples(scaler_recipes(), averaging_recipes()), 12):
        check_training_run(run_of(scaling, averaging), formats=["torch"])


def test_every_way_to_scale_and_to_average_turns_up() -> None:
    scaling, averaging = many(scaler_recipes(), 150), many(averaging_recipes(), 80)

    drawn = {option for recipe in scaling for option in recipe.options.items()}
    assert drawn == {
        ("init_scale", 1.0),
        ("init_scale", 1024.0),
        ("growth_factor", 4.0),
        ("backoff_factor", 0.25),
        ("growth_interval", 1),
        ("growth_interval", 2),
        ("enabled", False),
    }
    assert repr(scaling[0]) == "torch.amp.GradScaler('cpu')"
    assert {recipe.function for recipe in averaging} == {
        "",
        "get_ema_avg_fn",
        "get_ema_multi_avg_fn",
        "get_swa_avg_fn",
        "get_swa_multi_avg_fn",
    }
    assert {recipe.use_buffers for recipe in averaging} == {False, True}
    assert repr(averaging[0]) == "AveragedModel(model, use_buffers=False)"


def test_recipes_are_data_and_say_what_they_build() -> None:
    names: dict[str, Any] = {**vars(torch.optim.swa_utils), "torch": torch, "model": network()}

    for recipe in many(scaler_recipes(), 40):
        assert pickle.loads(pickle.dumps(recipe)) == recipe
        assert recipe.build().state_dict() == eval(repr(recipe), names).state_dict()
    for averaging in many(averaging_recipes(), 40):
        assert pickle.loads(pickle.dumps(averaging)) == averaging
        built, written = averaging.build(names["model"]), eval(repr(averaging), names)
        assert built.use_buffers == written.use_buffers
        assert [f and f.__qualname__ for f in (built.avg_fn, built.multi_avg_fn)] == [
            f and f.__qualname__ for f in (written.avg_fn, written.multi_avg_fn)
        ]


@pytest.mark.parametrize("by_strategy", [False, True])
def test_averages_are_copies_of_the_model(by_strategy: bool) -> None:
    model = network()
    given: Any = st.just(model) if by_strategy else model

    for averaged in many(averaged_models(given), 10):
        assert isinstance(averaged, AveragedModel)
        pairs = list(zip(averaged.module.parameters(), model.parameters(), strict=True))
        assert all(torch.equal(a, b) and a is not b for a, b in pairs)


def test_scalers_have_the_state_they_were_drawn_with() -> None:
    states = [scaler.state_dict() for scaler in many(scalers(), 60)]

    assert {} in states
    assert {state["growth_interval"] for state in states if state} == {1, 2, 2000}
