"""Shows the trainer to pytest-ckpt.

It saves as it trains. So to save is to hand over a copy of the folder it has written, and to load is to put a copy
where another trainer will look.
"""

from __future__ import annotations

import functools
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

    def load(path: Path) -> None:
        replace(path, folder)
        trainer.resume()

    return TrainingRun.from_object(
        trainer,
        step=trainer.train_epoch,
        save=functools.partial(replace, folder),
        load=load,
        predict=trainer.predict,
    )


def replace(source: Path, target: Path) -> None:
    """Not into it: a later epoch which is still there would be the latest."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
