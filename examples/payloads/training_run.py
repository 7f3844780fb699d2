"""Shows the experiment to pytest-ckpt, once with its own ``save`` and ``load`` and once without."""

from __future__ import annotations

from pytest_ckpt import TrainingRun

from .experiment import Experiment


def make_run(kind: type[Experiment] = Experiment) -> TrainingRun:
    experiment = kind()
    return TrainingRun.from_object(
        experiment, step=experiment.train_step, save=experiment.save, load=experiment.load, predict=experiment.predict
    )


def make_bare_run() -> TrainingRun:
    """Leave the writing of the whole state dict to pytest-ckpt, in the formats asked for."""
    experiment = Experiment()
    return TrainingRun(components={"experiment": experiment}, step=experiment.train_step)
