"""Three ways to keep the wrong weights."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch import nn

from .checkpoints import Checkpoints
from .train import Best, Trainer
from .training_run import make_run


class BestByReference(Best):
    """``state_dict()`` returns the live tensors, not copies: the best weights are always the present ones."""

    def update(self, loss: float, model: nn.Module) -> bool:
        if loss >= self.loss:
            return False
        self.loss, self.weights = loss, model.state_dict()
        return True


class LatestByName(Checkpoints):
    """The last in alphabetical order: from the tenth epoch on, that is the ninth as long as it is kept."""

    def latest(self) -> Path:
        return sorted(self.folder.glob("epoch=*.pt"))[-1]


class NoCopies(Trainer):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.best = BestByReference()


class Alphabetical(Trainer):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.checkpoints = LatestByName(folder)


class BackToTheBest(Trainer):
    """Goes on from the best epoch, as if those after it had not been."""

    def resume(self, path: Path | None = None) -> None:
        super().resume(self.checkpoints.best)


no_copies, alphabetical, back_to_the_best = (
    partial(make_run, kind) for kind in (NoCopies, Alphabetical, BackToTheBest)
)
