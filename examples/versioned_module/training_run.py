"""Shows the training to pytest-ckpt."""

from __future__ import annotations

from pytest_ckpt import TrainingRun

from .train import Trainer


def make_run(kind: type[Trainer] = Trainer) -> TrainingRun:
    trainer = kind()
    return TrainingRun.from_object(
        trainer, step=trainer.train_step, save=trainer.save, load=trainer.load, predict=trainer.predict
    )
