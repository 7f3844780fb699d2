"""The trainer resumes from its folder; the folder keeps what it promises; and three ways to keep the wrong weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_ckpt import CheckpointFailure, check_training_run, parametrize_with_checks

from .broken import alphabetical, back_to_the_best, no_copies
from .checkpoints import Checkpoints, epoch_of
from .train import Trainer
from .training_run import make_run

# There is nothing to go on from before the first epoch is over, and the tenth is the first with two digits.
SETTINGS: dict[str, Any] = {"steps": 12, "at": [9, 10]}
pytestmark = pytest.mark.ckpt(**SETTINGS)


@parametrize_with_checks(make_run)
def test_trainer(check: Callable[[], Any]) -> None:
    check()


@pytest.mark.parametrize(
    ("broken", "lost"),
    [
        pytest.param(no_copies, "best.weights: saved shares memory with model.0.weight, loaded a copy", id="no copies"),
        pytest.param(alphabetical, "saved:  50.0\n    loaded: 45.0", id="epoch 9 for epoch 10"),
        pytest.param(back_to_the_best, "optimizer.state[0.weight].step: value differs", id="best for latest"),
    ],
)
def test_wrong_weights_are_caught(broken: Callable[[], Any], lost: str) -> None:
    with pytest.raises(CheckpointFailure) as failure:
        check_training_run(broken, **SETTINGS)

    assert lost in str(failure.value)


def test_last_three_epochs_and_the_best_are_kept(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path)
    losses = [trainer.train_epoch(i)["held out"] for i in range(12)]

    assert [epoch_of(path) for path in trainer.checkpoints.epochs()] == [10, 11, 12]
    assert torch.load(trainer.checkpoints.best)["epoch"] == 1 + losses.index(min(losses))
    assert len(list(tmp_path.iterdir())) == 4


def test_disk_that_is_full_costs_the_new_checkpoint_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ckpt: Any
) -> None:
    trainer = Trainer(tmp_path)
    for epoch in range(3):
        trainer.train_epoch(epoch)
    kept = torch.load(trainer.checkpoints.latest())

    def save_half(state: Any, path: Path) -> None:
        path.write_bytes(b"PK")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", save_half)
    with pytest.raises(OSError, match="No space left"):
        trainer.train_epoch(3)

    assert [epoch_of(path) for path in trainer.checkpoints.epochs()] == [1, 2, 3]
    ckpt.compare(kept, torch.load(Checkpoints(tmp_path).latest()))
