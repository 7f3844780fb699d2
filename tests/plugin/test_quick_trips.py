"""The trip without the catalogue: what it may call plainly right, and what it has to leave to the checks."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pytest_ckpt import TrainingRun
from pytest_ckpt.plugin.quick_trips import QuickTrip, quick_round_trip


def passes(make_run: Callable[[], Any], *, format: str = "torch-full", ignore: tuple[str, ...] = ()) -> list[str]:
    trip = QuickTrip(make_run=make_run, format=format, steps=2, at=(2,), ignore=ignore)
    return [outcome.check for outcome in quick_round_trip(trip)]


class Part:
    """A component of one value, which the trainer moves on."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value = state["value"]


class Bag:
    """An object without a rule of its own."""

    def __init__(self, content: Any) -> None:
        self.content = content


def make_trained(part: Any = None, step: Callable[[], object] = lambda: None, **options: Any) -> TrainingRun:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def train(i: int) -> None:
        optimizer.zero_grad()
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        step()

    parts = {} if part is None else {"part": part}
    return TrainingRun(components={"model": model, "optimizer": optimizer, **parts}, step=train, **options)


RIGHT = ["state_is_restored", "traits_are_restored"]


@pytest.mark.parametrize(
    "make_part",
    [
        lambda: None,
        lambda: Part(Bag([1.0, torch.ones(2)])),
        lambda: Part({1, 2}),
        lambda: Part(nn.Parameter(torch.ones(2))),
        lambda: Part(torch.ones(1).expand(3)),
        lambda: random.Random(3),
        lambda: torch.Generator(),
    ],
    ids=["nothing", "object", "set", "parameter", "expanded", "random", "generator"],
)
def test_a_state_of_any_kind_is_plainly_right(make_part: Callable[[], Any]) -> None:
    assert passes(lambda: make_trained(make_part())) == RIGHT


def test_a_model_alone_is_plainly_right() -> None:
    assert passes(lambda: nn.Linear(2, 2)) == RIGHT


def test_an_object_that_is_not_restored_is_left_to_the_checks() -> None:
    class Forgetful(Part):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            pass

    assert passes(lambda: make_trained(Forgetful(Bag(torch.rand(1).item())))) == []


def test_a_constant_object_does_not_make_a_fresh_run_another() -> None:
    assert passes(lambda: {"part": Part(Bag(1))}) == []


def test_a_save_that_changes_the_run_is_left_to_the_checks(tmp_path: Path) -> None:
    def make() -> TrainingRun:
        saves = Part(0)
        run = make_trained(saves)
        parts = run.components
        assert isinstance(parts, dict)

        def save(path: Path) -> None:
            saves.value += 1
            torch.save({name: part.state_dict() for name, part in parts.items()}, path)

        def load(path: Path) -> None:
            for name, state in torch.load(path).items():
                parts[name].load_state_dict(state)

        return TrainingRun(components=parts, step=run.step, save=save, load=load)

    assert passes(make, format="own") == []


def test_a_state_dict_that_changes_the_run_is_left_to_the_checks() -> None:
    class Counting(Part):
        def state_dict(self) -> dict[str, Any]:
            self.value += 1
            return {"value": self.value}

    assert passes(lambda: make_trained(Counting(0))) == []


@pytest.mark.parametrize("restores", [True, False])
def test_a_tensor_that_both_runs_share_is_compared_as_it_was_saved(restores: bool) -> None:
    table = torch.zeros(2)

    class Shared(Part):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            if restores:
                table.copy_(state["value"])

    def make() -> TrainingRun:
        table.zero_()  # the fresh run begins anew, in the memory of the saved one
        return make_trained(Shared(table), step=lambda: table.add_(1))

    assert passes(make) == (RIGHT if restores else [])


@pytest.mark.parametrize("restores", [True, False])
def test_a_list_that_both_runs_share_is_compared_as_it_was_saved(restores: bool) -> None:
    history: list[int] = []

    class Shared(Part):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            if restores:
                history[:] = state["value"]

    def make() -> TrainingRun:
        history.clear()
        return make_trained(Shared(history), step=lambda: history.append(1))

    assert passes(make) == (RIGHT if restores else [])


@pytest.mark.parametrize("lost", ["requires_grad", "sharing"])
def test_what_no_state_dict_holds_is_compared(lost: str) -> None:
    class Careless(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(2, 2), nn.Linear(2, 2)
            if lost == "sharing":
                self.two.weight = self.one.weight

        def load_state_dict(self, *args: Any, **options: Any) -> Any:
            if lost == "sharing":
                self.two.weight = nn.Parameter(self.one.weight.detach().clone())
            else:
                self.one.weight.requires_grad_(False)
            return super().load_state_dict(*args, **options)

    assert passes(Careless) == []


def test_a_save_in_the_background_is_waited_for() -> None:
    def make() -> TrainingRun:
        run = make_trained()
        parts = run.components
        assert isinstance(parts, dict)

        def save(path: Path) -> None:
            def write() -> None:
                time.sleep(0.05)
                torch.save(states, path)

            states = {name: part.state_dict() for name, part in parts.items()}
            threading.Thread(target=write).start()

        def load(path: Path) -> None:
            for name, state in torch.load(path).items():
                parts[name].load_state_dict(state)

        return TrainingRun(components=parts, step=run.step, save=save, load=load)

    assert passes(make, format="own") == RIGHT
