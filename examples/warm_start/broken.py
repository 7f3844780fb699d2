"""Three ways to start from two files at once and to end with neither."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from .train import FineTuning, warm_start
from .training_run import PRETRAINED, make_run


class WarmedTwice(FineTuning):
    """Warms up whatever it has, also a checkpoint: the backbone is the pretrained one again."""

    def load(self, path: Path) -> None:
        super().load(path)
        warm_start(self.model, PRETRAINED)


class FrozenForGood(FineTuning):
    """Leaves it to the step that unfreezes to unfreeze; a run that resumes after it waits for it in vain."""

    def load(self, path: Path) -> None:
        super().load(path)
        self.freeze(True)


class ColdStart(FineTuning):
    """Asks for no more than what fits. Nothing does: no key of the file is a key of the model."""

    def initialize(self, pretrained: Path) -> None:
        self.model.load_state_dict(torch.load(pretrained)["state_dict"], strict=False)


warmed_twice, frozen_for_good, cold_start = (
    partial(make_run, kind) for kind in (WarmedTwice, FrozenForGood, ColdStart)
)
