"""Three trainers that save the model whole and do not follow where that leads."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .model import Ratings
from .train import Trainer
from .training_run import make_run


class OptimizerLeftBehind(Trainer):
    """Makes its optimizer once. After a load it moves the parameters of a model that nobody uses any more."""

    def use(self, model: Ratings) -> None:
        if not hasattr(self, "optimizer"):
            super().use(model)
        self.model = model


class TensorsOnly(Trainer):
    """Takes the state dict out of the model in the file, and leaves there what the model knows besides."""

    def use(self, model: Ratings) -> None:
        if hasattr(self, "model"):
            self.model.load_state_dict(model.state_dict())
        else:
            super().use(model)


class SavedForUse(Trainer):
    """Saves the model as it will be used, in eval mode, and trains on without dropout."""

    def save(self, path: Path) -> None:
        self.model.eval()
        super().save(path)


optimizer_left_behind, tensors_only, saved_for_use = (
    partial(make_run, kind) for kind in (OptimizerLeftBehind, TensorsOnly, SavedForUse)
)
