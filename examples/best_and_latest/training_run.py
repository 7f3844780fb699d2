"""Shows the trainer to pytest-ckpt.

It saves as it trains. So to save is to hand over a copy of the folder it has written, and to load is to put a copy
where another trainer will look.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pytest_ckpt import TrainingRun

from .train import Trainer

# One folder for the folders of all runs; it goes at exit.
_outputs = tempfile.TemporaryDirectory(prefix="best-and-latest-")


def make_run(make_trainer: type[Trainer] = Trainer) -> TrainingRun:
    folder = Path(tempfile.mkdtemp(dir=_outputs.name))
    trainer = make_trainer(folder)

    def save(path: Path) -> None:
        shutil.copytree(folder, path, dirs_exist_ok=True)

    def load(path: Path) -> None:
        shutil.copytree(path, folder, dirs_exist_ok=True)
        trainer.resume()

    return TrainingRun.from_object(trainer, step=trainer.train_epoch, save=save, load=load, predict=trainer.predict)
