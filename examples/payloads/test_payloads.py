"""The file is enough: whatever an experiment drew at its start is that of the saved one again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_ckpt import CheckpointFailure, TrainingRun, check_training_run, parametrize_with_checks

from .broken import batches_seeded_again, features_drawn_anew, pickled_plainly, trusted_scheduler
from .training_run import make_bare_run, make_run


@pytest.mark.ckpt(steps=8, at=[0, 3, 7])
@parametrize_with_checks(make_run)
def test_experiment(check: Callable[[], Any]) -> None:
    check()


@pytest.mark.ckpt(formats=["torch+dill", "dill", "torch+cloudpickle", "cloudpickle"])
def test_these_formats_keep_closures(ckpt: Any, ckpt_format: str) -> None:
    ckpt.resume(make_bare_run, at=[2], steps=4, format=ckpt_format)


@pytest.mark.parametrize("name", ["pickle", "torch-full"])
def test_these_formats_know_functions_by_name_only(name: str) -> None:
    (outcome,) = check_training_run(make_bare_run, select=["state_is_restored"], formats=[name])

    assert outcome.status == "skipped"
    assert outcome.summary == f"{name} cannot keep function at experiment.functions.features"


@pytest.mark.parametrize(
    ("make_broken_run", "lost"),
    [
        (features_drawn_anew, "To blame: frequencies, phases"),
        (trusted_scheduler, "To blame: steps"),
        (batches_seeded_again, "To blame: batches"),
        (pickled_plainly, r"Can't .+random_features\.<locals>\.<lambda>"),
    ],
    ids=["features", "schedule", "batches", "pickle"],
)
def test_what_is_lost_is_named(make_broken_run: Callable[[], TrainingRun], lost: str) -> None:
    with pytest.raises(CheckpointFailure, match=lost):
        check_training_run(make_broken_run)
