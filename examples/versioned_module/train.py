"""A training program with the layer in it: which tumours are benign, by thirty measurements of each."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn

from .layer import Standardize


@functools.cache
def tumours() -> tuple[Tensor, Tensor, list[str]]:
    """569 rows of 30 columns, which of them are benign, and the names of the columns."""
    bunch = load_breast_cancer()
    return torch.from_numpy(bunch.data).float(), torch.from_numpy(bunch.target).float(), bunch.feature_names.tolist()


class Trainer:
    """Trains a small classifier on rows as they come."""

    layer: type[nn.Module] = Standardize

    def __init__(self) -> None:
        _, _, columns = tumours()
        self.model = nn.Sequential(
            self.layer(columns), nn.Linear(len(columns), 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(start_dim=0)
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    def train_step(self, i: int) -> float:
        table, benign, _ = tumours()
        rows = torch.randint(len(table), (32,))
        loss = nn.functional.binary_cross_entropy_with_logits(self.model(table[rows]), benign[rows])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def predict(self) -> Tensor:
        table, _, _ = tumours()
        logits: Tensor = self.model(table[:64])
        return logits

    def model_state(self) -> dict[str, Any]:
        return self.model.state_dict()

    def save(self, path: Path) -> None:
        checkpoint = {
            "model": self.model_state(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
        }
        torch.save(checkpoint, path)

    def load(self, path: Path) -> None:
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        torch.set_rng_state(checkpoint["random"])
