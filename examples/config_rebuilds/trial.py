"""One trial: a classifier of wines whose shape, optimizer and loss come from its configuration."""

from __future__ import annotations

import functools
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import torch
from sklearn.datasets import load_wine
from torch import Tensor, nn

from .config import Config

BATCH_SIZE = 32
STEPS = 40


@functools.cache
def wines() -> tuple[Tensor, Tensor]:
    """13 measurements of each of 178 wines, standardized, and which of three growers it is from."""
    bunch = load_wine()
    inputs = torch.from_numpy(bunch.data).float()
    return (inputs - inputs.mean(dim=0)) / inputs.std(dim=0), torch.from_numpy(bunch.target).long()


class Trial:
    """Trains one configuration. ``load`` takes that of the file: what this trial was until then is replaced."""

    def __init__(self, config: Config) -> None:
        self.build(config)

    def build(self, config: Config) -> None:
        """Make everything that depends on the configuration; each part needs the one before it."""
        self.config = config
        self.model = nn.Sequential(
            nn.Linear(13, config.width), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(config.width, 3)
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=STEPS)

    def train_step(self, i: int) -> float:
        inputs, labels = wines()
        batch = torch.randint(len(inputs), (BATCH_SIZE,))
        logits = self.model(inputs[batch])
        loss = nn.functional.cross_entropy(logits, labels[batch], label_smoothing=self.config.smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss.item()

    def predict(self) -> Tensor:
        logits: Tensor = self.model(wines()[0])
        return logits

    def save(self, path: Path) -> None:
        checkpoint = {
            "config": asdict(self.config),  # plain values, which torch.load reads without trusting the file
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": torch.get_rng_state(),
        }
        torch.save(checkpoint, path)

    def load(self, path: Path) -> None:
        checkpoint: dict[str, Any] = torch.load(path)
        self.build(Config(**checkpoint["config"]))
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.scheduler.load_state_dict(checkpoint["scheduler"])
        torch.set_rng_state(checkpoint["random"])

    @classmethod
    def from_checkpoint(cls, path: Path) -> Self:
        """Build a trial from nothing but a file, as an evaluation script does."""
        trial = cls(Config(**torch.load(path)["config"]))
        trial.load(path)
        return trial
