"""Three ways to rebuild too little, one method each."""

from __future__ import annotations

from functools import partial

from .config import Config
from .training_run import make_run
from .trial import Trial


class KeepsItsConfig(Trial):
    """Takes the model from the file's configuration and the loss from the one that it was started with."""

    def build(self, config: Config) -> None:
        started_with = getattr(self, "config", config)
        super().build(config)
        self.config = started_with


class KeepsItsOptimizer(Trial):
    """Goes on with the optimizer of the model that was replaced: nothing is trained any more."""

    def build(self, config: Config) -> None:
        optimizer = getattr(self, "optimizer", None)
        super().build(config)
        if optimizer is not None:
            self.optimizer = optimizer


class IgnoresTheFile(Trial):
    """Rebuilds nothing; right for as long as the next start has the same configuration."""

    def build(self, config: Config) -> None:
        if not hasattr(self, "config"):
            super().build(config)


kept_config, kept_optimizer, file_ignored = (
    partial(make_run, kind) for kind in (KeepsItsConfig, KeepsItsOptimizer, IgnoresTheFile)
)
