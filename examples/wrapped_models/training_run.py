"""Shows the trainer to pytest-ckpt, in the wrapper of one's choice."""

from __future__ import annotations

from pytest_ckpt import TrainingRun

from .train import Trainer


def make_run(make_trainer: type[Trainer] = Trainer, wrapper: str = "bare") -> TrainingRun:
    trainer = make_trainer(wrapper)
    return TrainingRun.from_object(
        trainer, step=trainer.train_step, save=trainer.save, load=trainer.load, predict=trainer.predict
    )
