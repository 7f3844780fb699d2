"""Nobody is accused: what did not change is compatible, in every mode, whatever the program is like."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from zoo import GOOD_RUNS

from pytest_ckpt import TrainingRun
from pytest_ckpt.golden.guarding import Request, guard


def guard_twice(make_run: Callable[[], Any], directory: Path) -> None:
    request = {"name": "it", "directory": directory, "mode": "full_transitive"}

    assert not guard(make_run, Request(**request, update=True, keep="1.0")).outcome.failed  # type: ignore[arg-type]

    outcome = guard(make_run, Request(**request)).outcome  # type: ignore[arg-type]
    assert outcome.status == "pass", outcome


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", GOOD_RUNS)
def test_a_good_run_is_what_it_was(name: str, tmp_path: Path) -> None:
    guard_twice(GOOD_RUNS[name], tmp_path)


NUMBERS = count()


def counts_its_layers() -> TrainingRun:
    model = torch.nn.ModuleDict({f"layer_{next(NUMBERS)}": torch.nn.Linear(2, 2)})
    return TrainingRun({"model": model})


def test_names_from_a_counter_are_the_same_each_time(tmp_path: Path) -> None:
    guard_twice(counts_its_layers, tmp_path)
