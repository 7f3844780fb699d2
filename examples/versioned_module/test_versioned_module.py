"""A new file comes back as it was, an old one in its new meaning, and a lost version is noticed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_ckpt import CheckpointFailure, TrainingRun, check_training_run, module_run, parametrize_with_checks

from . import layer_version_1
from .broken import dropped_metadata, forgotten_count
from .layer import Standardize
from .train import Trainer, tumours
from .training_run import make_run

OLD_FILE = Path(__file__).parent / "trained_by_version_1.pt"


class OldTrainer(Trainer):
    layer = layer_version_1.Standardize


@parametrize_with_checks(make_run)
def test_training(check: Callable[[], Any]) -> None:
    check()


@pytest.mark.ckpt(formats=["torch", "safetensors", "pickle", "dcp"])
def test_layer_alone_in_every_format_we_publish(ckpt: Any, ckpt_format: str) -> None:
    make_layer = partial(Standardize, ["height", "weight"])
    ckpt.round_trip(module_run(make_layer, inputs=lambda: torch.rand(16, 2)), format=ckpt_format)


def test_old_file_predicts_in_the_new_code_what_it_did_in_the_old() -> None:
    old, new = OldTrainer(), Trainer()
    old.load(OLD_FILE)
    new.load(OLD_FILE)

    assert new.model[0].rows == old.model[0].rows == 5 * 32
    torch.testing.assert_close(new.model.eval()(tumours()[0]), old.model.eval()(tumours()[0]))


def test_run_that_began_in_version_1_can_be_stopped_again(ckpt: Any) -> None:
    def make_old_run() -> TrainingRun:
        trainer = Trainer()
        with torch.random.fork_rng():  # the random state of the file is not restored, so no two runs go on alike
            trainer.load(OLD_FILE)
        return TrainingRun.from_object(trainer, step=trainer.train_step, save=trainer.save, load=trainer.load)

    ckpt.resume(make_old_run, at=[0, 2], steps=4)


def test_file_for_another_table_is_refused() -> None:
    state = Standardize(["height", "weight"]).state_dict()

    with pytest.raises(ValueError, match=r"\['height', 'weight'\], not for \['weight', 'height'\]"):
        Standardize(["weight", "height"]).load_state_dict(state)


@pytest.mark.parametrize("make_broken_run", [dropped_metadata, forgotten_count], ids=["dropped", "not_raised"])
def test_lost_version_is_noticed(make_broken_run: Callable[[], TrainingRun]) -> None:
    with pytest.raises(CheckpointFailure, match=r"model\.0\.spread: value differs"):
        check_training_run(make_broken_run)
