"""Two ways to lose the version of a file, and with it the meaning of its numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

from .layer import Standardize
from .train import Trainer
from .training_run import make_run


class DropsTheMetadata(Trainer):
    """Writes a plain dict, as one does to rename keys or to move tensors: it has no ``_metadata``."""

    def model_state(self) -> dict[str, Any]:
        return dict(self.model.state_dict())


class UnnumberedStandardize(Standardize):
    """Reads old files, but says of its own that they are old."""

    _version = 1


class ForgetsToCount(Trainer):
    """Trains a layer whose author forgot to raise ``_version``."""

    layer = UnnumberedStandardize


dropped_metadata, forgotten_count = (partial(make_run, kind) for kind in (DropsTheMetadata, ForgetsToCount))
