"""Predicts the progress of diabetes, keeps the weights of its best epoch and writes a checkpoint after each."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_diabetes
from torch import Tensor, nn
from torch.func import functional_call

from .checkpoints import Checkpoints


def load_data() -> tuple[Tensor, Tensor]:
    """The 442 patients that come with scikit-learn, and their targets in standard deviations, (N, 1)."""
    features, target = (torch.from_numpy(array).float() for array in load_diabetes(return_X_y=True))
    return features / features.std(), ((target - target.mean()) / target.std()).unsqueeze(1)


class Best:
    """The weights with the lowest loss so far: copies, for the model trains on in place."""

    def __init__(self) -> None:
        self.loss = float("inf")
        self.weights: dict[str, Tensor] = {}

    def update(self, loss: float, model: nn.Module) -> bool:
        if loss >= self.loss:
            return False
        self.loss, self.weights = loss, copy.deepcopy(model.state_dict())
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"loss": self.loss, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.loss, self.weights = state["loss"], state["weights"]


class Trainer:
    """Writes into its folder after each epoch, and goes on from the latest epoch that it finds there."""

    def __init__(self, folder: Path) -> None:
        features, target = load_data()
        self.training, self.held_out = (features[:300], target[:300]), (features[300:], target[300:])
        self.model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=3e-2)
        self.best = Best()
        self.epoch = 0
        self.checkpoints = Checkpoints(folder)

    def train_epoch(self, i: int) -> dict[str, float]:
        features, target = self.training
        for batch in torch.randperm(len(features)).split(64):
            loss = nn.functional.mse_loss(self.model(features[batch]), target[batch])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self.epoch += 1
        held_out = self.evaluate()
        is_best = self.best.update(held_out, self.model)
        self.checkpoints.save(self.state(), epoch=self.epoch, is_best=is_best)
        return {"loss": loss.item(), "held out": held_out, "best": self.best.loss}

    @torch.no_grad()
    def evaluate(self) -> float:
        self.model.eval()
        features, target = self.held_out
        loss = nn.functional.mse_loss(self.model(features), target).item()
        self.model.train()
        return loss

    def predict(self) -> Tensor:
        """What is delivered: the predictions of the best epoch, not of the last one."""
        prediction: Tensor = functional_call(self.model, self.best.weights, self.held_out[0])
        return prediction

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best.state_dict(),
            "epoch": self.epoch,
            "random": torch.get_rng_state(),
        }

    def resume(self, path: Path | None = None) -> None:
        """Go on from a checkpoint, or from the latest."""
        checkpoint = torch.load(path or self.checkpoints.latest())
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.best.load_state_dict(checkpoint["best"])
        self.epoch = checkpoint["epoch"]
        torch.set_rng_state(checkpoint["random"])
