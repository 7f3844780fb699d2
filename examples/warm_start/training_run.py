"""Shows the fine-tuning to pytest-ckpt: every run starts warm, also the one that loads a checkpoint then."""

from __future__ import annotations

from pytest_ckpt import TrainingRun

from .pretraining import pretrained_file
from .train import FineTuning


def make_run(fine_tuning: type[FineTuning] = FineTuning) -> TrainingRun:
    run = fine_tuning(pretrained_file())
    return TrainingRun.from_object(run, step=run.train_step, save=run.save, load=run.load)
