"""Shows the trainer to pytest-ckpt. The components are a function, which is asked again after every load."""

from __future__ import annotations

from pytest_ckpt import TrainingRun

from .train import Trainer


def make_run(make_trainer: type[Trainer] = Trainer) -> TrainingRun:
    trainer = make_trainer()
    return TrainingRun(
        components=lambda: {
            "model": trainer.model,
            "optimizer": trainer.optimizer,
            "scheduler": trainer.scheduler,
        },
        step=trainer.train_step,
        save=trainer.save,
        load=trainer.load,
        predict=trainer.predict,
    )
