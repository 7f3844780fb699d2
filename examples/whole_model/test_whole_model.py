"""The model comes back as another object, and all that belongs to it follows; and what a file of objects needs."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_ckpt import CheckpointFailure, check_training_run, parametrize_with_checks

from . import model
from .broken import optimizer_left_behind, saved_for_use, tensors_only
from .train import Trainer
from .training_run import make_run


@parametrize_with_checks(make_run)
def test_trainer(check: Callable[[], Any]) -> None:
    check()


@pytest.mark.ckpt(formats=["torch-whole", "pickle-whole", "dill-whole"])
def test_model_can_be_written_whole(ckpt_format: str, ckpt: Any) -> None:
    """A lambda or an open file among the attributes of the model would show here."""
    ckpt.round_trip(lambda: model.Ratings(("bad", "good"), features=4), format=ckpt_format)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        pytest.param(optimizer_left_behind, "optimizer parameters[0]: unexpected", id="optimizer left behind"),
        pytest.param(tensors_only, "To blame: model.seen (restoring it alone", id="tensors only"),
        pytest.param(saved_for_use, "save(path) changed model.training: before True, after False", id="saved for use"),
    ],
)
def test_what_does_not_follow_is_named(broken: Callable[[], Any], said: str) -> None:
    with pytest.raises(CheckpointFailure) as failure:
        check_training_run(broken)

    assert said in str(failure.value)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    trainer = Trainer()
    trainer.train_step(0)
    trainer.save(tmp_path / "whole.pt")
    return tmp_path / "whole.pt"


def test_file_names_the_model_by_its_words_and_not_by_numbers(saved: Path) -> None:
    loaded = torch.load(saved, weights_only=False)["model"].eval()

    assert loaded.name(Trainer().wines[0]) in {"class_0", "class_1", "class_2"}
    assert loaded.seen == 32


def test_file_is_not_loaded_by_those_who_expect_tensors_alone(saved: Path) -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"Unsupported global: GLOBAL whole_model\.model\.Ratings"):
        torch.load(saved)


def test_file_is_worth_nothing_where_the_class_was_renamed(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(model, "Ratings")

    with pytest.raises(AttributeError, match="Can't get attribute 'Ratings'"):
        torch.load(saved, weights_only=False)
