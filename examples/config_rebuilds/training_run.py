"""Shows a trial to pytest-ckpt."""

from __future__ import annotations

from pytest_ckpt import TrainingRun

from .config import Config
from .trial import Trial


def make_run(kind: type[Trial] = Trial, config: Config | None = None) -> TrainingRun:
    """Draw the configuration here, so that the run which loads starts as another one than was saved."""
    trial = kind(config or Config.draw())
    return TrainingRun(
        # A function: after a load these are other objects.
        components=lambda: {"model": trial.model, "optimizer": trial.optimizer, "scheduler": trial.scheduler},
        step=trial.train_step,
        save=trial.save,
        load=trial.load,
        predict=trial.predict,
        name=kind.__name__,
    )
