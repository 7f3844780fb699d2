"""The stateful objects among an object's attributes."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from pytest_ckpt.errors import UsageError
from pytest_ckpt.runs.discovery import stateful_attributes


def test_attributes_lists_and_mappings_are_looked_into() -> None:
    a, b, c, d = (nn.Linear(1, 1) for _ in range(4))
    optimizer = torch.optim.SGD(a.parameters(), lr=0.1)
    generator, numbers, legacy = torch.Generator(), np.random.default_rng(0), random.Random(0)
    trainer = SimpleNamespace(
        model=a,
        lr=0.1,
        optimizer=optimizer,
        heads=[b, "not stateful"],
        pair=(3, c),
        experts={"big": d, "name": "x"},
        generator=generator,
        numbers=numbers,
        legacy=legacy,
        kind=nn.Linear,
    )

    assert stateful_attributes(trainer) == {
        "model": a,
        "optimizer": optimizer,
        "heads[0]": b,
        "pair[1]": c,
        "experts.big": d,
        "generator": generator,
        "numbers": numbers,
        "legacy": legacy,
    }


def test_slots_are_attributes() -> None:
    class Trainer:
        __slots__ = ("model", "unset")

        def __init__(self) -> None:
            self.model = nn.Linear(1, 1)

    trainer = Trainer()

    assert stateful_attributes(trainer) == {"model": trainer.model}


def test_an_object_with_two_names_has_the_first() -> None:
    model = nn.Linear(1, 1)

    assert list(stateful_attributes(SimpleNamespace(model=model, raw_model=model, all=[model]))) == ["model"]


@pytest.mark.parametrize(("attributes", "shown"), [({"lr": 1, "epoch": 2}, "epoch, lr"), ({}, "none")])
def test_nothing_stateful_is_refused(attributes: dict[str, int], shown: str) -> None:
    with pytest.raises(UsageError) as caught:
        stateful_attributes(SimpleNamespace(**attributes))

    assert str(caught.value) == (
        "No attribute of this SimpleNamespace has state_dict() and load_state_dict() "
        f"(attributes: {shown}). Return TrainingRun(components={{...}}) from make_run."
    )
