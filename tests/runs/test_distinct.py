"""A round trip needs two runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from pytest_ckpt import TrainingRun
from pytest_ckpt.errors import UsageError
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.runs.distinct import require_distinct_runs


def run(**components: Any) -> LiveRun:
    return LiveRun(TrainingRun(components))


def refusal(first: LiveRun, second: LiveRun) -> str:
    with pytest.raises(UsageError) as caught:
        require_distinct_runs(first, second)
    return str(caught.value)


WHY = (
    " twice. It is called for every run and must build new objects each time; "
    "a model made outside of it is trained by both runs."
)


def test_one_model_in_two_runs_is_refused() -> None:
    model = nn.Linear(1, 1)

    assert refusal(run(net=model), run(other=model)) == f"make_run returned the same component 'net'{WHY}"


def test_one_optimizer_in_two_runs_is_refused() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)

    assert refusal(run(opt=optimizer), run(opt=optimizer)) == f"make_run returned the same component 'opt'{WHY}"


def test_two_optimizers_of_one_model_are_refused() -> None:
    model = nn.Linear(1, 1)
    first, second = (run(opt=torch.optim.SGD(model.parameters(), lr=0.1)) for _ in range(2))

    assert refusal(first, second) == f"make_run returned the same parameter in component 'opt'{WHY}"


def test_a_frozen_part_may_be_shared() -> None:
    backbone = nn.Linear(1, 1).requires_grad_(False)
    heads = [nn.Linear(1, 1) for _ in range(2)]

    first, second = (
        run(backbone=backbone, head=head, optimizer=torch.optim.SGD(head.parameters(), lr=0.1)) for head in heads
    )

    require_distinct_runs(first, second)


def test_other_objects_may_be_shared() -> None:
    generator = torch.Generator()

    require_distinct_runs(run(rng=generator, model=nn.Linear(1, 1)), run(rng=generator, model=nn.Linear(1, 1)))
