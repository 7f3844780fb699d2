"""A save may count itself, in a buffer of a module, too; it may not change what the model computes with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pytest_ckpt import TrainingRun, check_training_run


def counting_run(buffer: torch.Tensor) -> Callable[[], TrainingRun]:
    def make_run() -> TrainingRun:
        model = torch.nn.Linear(2, 1)
        model.register_buffer("saves", buffer.clone())
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def step(i: int) -> float:
            loss = model(torch.full((1, 2), float(i))).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return float(loss)

        def save(path: Path) -> None:
            model.get_buffer("saves").add_(1)
            torch.save((model.state_dict(), optimizer.state_dict()), path)

        def load(path: Path) -> None:
            states = torch.load(path)
            model.load_state_dict(states[0])
            optimizer.load_state_dict(states[1])

        return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)

    return make_run


@pytest.mark.parametrize(("dtype", "failed"), [(torch.int64, set()), (torch.float32, {"saving_changes_nothing"})])
def test_a_count_is_the_saves_own_affair_and_a_statistic_is_not(dtype: torch.dtype, failed: set[str]) -> None:
    outcomes = check_training_run(counting_run(torch.zeros((), dtype=dtype)), raise_on_failure=False)

    assert {outcome.check for outcome in outcomes.failures} == failed
