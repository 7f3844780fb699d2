"""``TrainingRun``: what can be said of a run, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pytest_ckpt import TrainingRun
from pytest_ckpt.errors import UsageError
from pytest_ckpt.runs import LiveRun


def nothing(*_: Any) -> None:
    """Stands for any function."""


def test_positions_are_the_order_of_the_words() -> None:
    components = {"model": nn.Linear(1, 1)}
    functions: list[Any] = [lambda number=number: number for number in range(4)]

    run = TrainingRun(*[components, *functions, "cuda:1", "named"])

    assert run == TrainingRun(
        components=components,
        step=functions[0],
        save=functions[1],
        load=functions[2],
        predict=functions[3],
        device="cuda:1",
        name="named",
    )


def test_only_components_are_needed() -> None:
    run = TrainingRun({"model": nn.Linear(1, 1)})

    assert (run.step, run.save, run.load, run.predict, run.device, run.name) == (None, None, None, None, None, "")


def test_a_run_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainingRun({}).step = nothing  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"save": nothing}, "TrainingRun has save= but no load=. Give both, or neither."),
        ({"load": nothing}, "TrainingRun has load= but no save=. Give both, or neither."),
        (
            {"components": [nn.Linear(1, 1)]},
            "TrainingRun(components=...) is a list. It must be a mapping "
            "of name to stateful object, or a function that returns one.",
        ),
        ({"step": 3}, "TrainingRun(step=...) is a int, not a function."),
        ({"predict": torch.ones(1)}, "TrainingRun(predict=...) is a Tensor, not a function."),
        ({"save": "a.pt", "load": nothing}, "TrainingRun(save=...) is a str, not a function."),
        ({"save": nothing, "load": Path("a.pt")}, "TrainingRun(load=...) is a PosixPath, not a function."),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        TrainingRun(**{"components": {}, **arguments})

    assert str(caught.value).replace("WindowsPath", "PosixPath") == message


@dataclass
class Trainer:
    model: nn.Module = field(default_factory=lambda: nn.Linear(1, 1))
    epoch: int = 0


def test_an_object_is_described_by_its_attributes() -> None:
    trainer = Trainer()
    functions: list[Callable[..., Any]] = [lambda *_: None for _ in range(4)]
    step, save, load, predict = functions

    run = TrainingRun.from_object(trainer, step=step, save=save, load=load, predict=predict)

    assert LiveRun(run).components == {"model": trainer.model}
    assert (run.step, run.save, run.load, run.predict, run.name) == (step, save, load, predict, "Trainer")
    assert TrainingRun.from_object(trainer, name="mine").name == "mine"


def test_replaced_attributes_are_read_again() -> None:
    trainer = Trainer()
    run = LiveRun(TrainingRun.from_object(trainer))

    trainer.model = nn.Linear(2, 2)

    assert run.components["model"] is trainer.model


def test_an_object_without_stateful_attributes_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match=r"No attribute of this Trainer has state_dict\(\)"):
        TrainingRun.from_object(Trainer(model=None))  # type: ignore[arg-type]
