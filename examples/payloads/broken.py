"""Four ways to lose what has no state dict, or to keep it from being written."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .experiment import Experiment
from .training_run import make_run


class DrawsFeaturesAnew(Experiment):
    """Restores the weights and leaves the features that they belong to as they were drawn at the start."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict({**state, "functions": {**state["functions"], "features": self.features}})


class TrustsTheScheduler(Experiment):
    """Restores the scheduler's state dict, in which LambdaLR has None for its function."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict({**state, "functions": {**state["functions"], "factor": self.factor}})


class SeedsTheBatchesAgain(Experiment):
    """Begins the order of the batches again: the first ones are seen twice and the last ones never."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict({**state, "batches": np.random.default_rng(0)})


class PicklesPlainly(Experiment):
    """Leaves out ``pickle_module=dill``; pickle knows functions by name only."""

    def save(self, path: Path) -> None:
        torch.save(self.state_dict(), path)


features_drawn_anew, trusted_scheduler, batches_seeded_again, pickled_plainly = (
    partial(make_run, kind) for kind in (DrawsFeaturesAnew, TrustsTheScheduler, SeedsTheBatchesAgain, PicklesPlainly)
)
