"""Three ways to lose state between two names for it."""

from __future__ import annotations

from functools import partial
from typing import Any

from .train import Trainer
from .training_run import make_run
from .wrappers import unwrap


class PrefixStripped(Trainer):
    """``lstrip`` takes letters, not a prefix: of ``module.embed.weight`` it leaves ``bed.weight``.

    And ``strict=False`` takes that for a weight of some other model.
    """

    def weights(self) -> dict[str, Any]:
        return super().weights() | {"model": self.model.state_dict()}

    def load_weights(self, weights: dict[str, Any]) -> None:
        stripped = {key.lstrip("module."): value for key, value in weights["model"].items()}
        unwrap(self.model).load_state_dict(stripped, strict=False)
        self.average.load_state_dict(weights["average"])


class PrefixLeftOn(Trainer):
    """Saves under the names of the wrapper and loads into the model inside; ``strict=False`` keeps quiet."""

    def weights(self) -> dict[str, Any]:
        return super().weights() | {"model": self.model.state_dict()}

    def load_weights(self, weights: dict[str, Any]) -> None:
        unwrap(self.model).load_state_dict(weights["model"], strict=False)
        self.average.load_state_dict(weights["average"])


class AverageUnwrapped(Trainer):
    """Saves the average and not of how many it is: the first update after a resume copies, like the first of all."""

    def weights(self) -> dict[str, Any]:
        return super().weights() | {"average": unwrap(self.average).state_dict()}

    def load_weights(self, weights: dict[str, Any]) -> None:
        unwrap(self.model).load_state_dict(weights["model"])
        unwrap(self.average).load_state_dict(weights["average"])


prefix_stripped = partial(make_run, PrefixStripped, "DataParallel")
prefix_left_on = partial(make_run, PrefixLeftOn, "compile of DistributedDataParallel")
average_unwrapped = partial(make_run, AverageUnwrapped)
