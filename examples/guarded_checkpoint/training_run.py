"""What pytest-ckpt is told of the trainer."""

from __future__ import annotations

from pytest_ckpt import TrainingRun

from .train import Trainer


def make_run(kind: type[Trainer] = Trainer) -> TrainingRun:
    trainer = kind()
    return TrainingRun(
        components={"model": trainer.model, "optimizer": trainer.optimizer},
        step=trainer.train_step,
        save=trainer.save,
        load=trainer.load,
    )
