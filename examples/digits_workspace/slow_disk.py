"""The same program, saving in a thread to a disk so slow that training is steps ahead of the write."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any

from pytest_ckpt import TrainingRun

from .train import SMALL, DigitsWorkspace

SECONDS = 0.03


class SlowDiskWorkspace(DigitsWorkspace):
    """Makes certain what is otherwise a race, and a rare one on a fast machine."""

    def write(self, payload: dict[str, Any], path: Path) -> None:
        time.sleep(SECONDS)
        super().write(payload, path)


def make_run() -> TrainingRun:
    workspace = SlowDiskWorkspace(SMALL)
    return TrainingRun.from_object(
        workspace,
        step=workspace.train_step,
        save=functools.partial(workspace.save_checkpoint, use_thread=True),
        load=workspace.load_checkpoint,
        predict=workspace.predict,
    )
