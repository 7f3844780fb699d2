"""Trains a model and saves it whole: another object is loaded, and whatever held the old one has to follow."""

from __future__ import annotations

from pathlib import Path

import torch
from sklearn.datasets import load_wine
from torch import Tensor, nn

from .model import Ratings


def load_data() -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """The 178 wines that come with scikit-learn, standardized, their labels and the names of the labels."""
    bunch = load_wine()
    features = torch.from_numpy(bunch.data).float()
    features = (features - features.mean(dim=0)) / features.std(dim=0)
    return features, torch.from_numpy(bunch.target).long(), tuple(map(str, bunch.target_names))


class Trainer:
    def __init__(self) -> None:
        self.wines, self.labels, classes = load_data()
        self.use(Ratings(classes, features=self.wines.shape[1]))

    def use(self, model: Ratings) -> None:
        """Train this model from now on: all that holds the model or its parameters is made here, and only here."""
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, gamma=0.9)

    def train_step(self, i: int) -> float:
        batch = torch.randint(len(self.wines), (32,))
        loss = nn.functional.cross_entropy(self.model(self.wines[batch]), self.labels[batch])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss.item()

    def predict(self) -> Tensor:
        scores: Tensor = self.model(self.wines[:16])
        return scores

    def save(self, path: Path) -> None:
        checkpoint = {
            "model": self.model,  # the object itself
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": torch.get_rng_state(),
        }
        torch.save(checkpoint, path)

    def load(self, path: Path) -> None:
        # It runs what the file says. Only for files of one's own.
        checkpoint = torch.load(path, weights_only=False)
        self.use(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.scheduler.load_state_dict(checkpoint["scheduler"])
        torch.set_rng_state(checkpoint["random"])
