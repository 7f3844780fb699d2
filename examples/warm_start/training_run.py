"""Shows the fine-tuning to pytest-ckpt: every run starts warm, also the one that loads a checkpoint then."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from pytest_ckpt import TrainingRun

from .pretraining import pretrain
from .train import FineTuning

# Stands for the file that one would download: it is there before any run is, and the same for all of them.
_downloads = tempfile.TemporaryDirectory(prefix="pretrained-")
PRETRAINED = Path(_downloads.name) / "pretrained.pt"
with torch.random.fork_rng():
    torch.manual_seed(0)
    pretrain(PRETRAINED)


def make_run(fine_tuning: type[FineTuning] = FineTuning) -> TrainingRun:
    run = fine_tuning(PRETRAINED)
    return TrainingRun.from_object(run, step=run.train_step, save=run.save, load=run.load)
