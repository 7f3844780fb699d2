"""Trains a wrapped model and an average of its weights; the checkpoint knows of no wrapper."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_iris
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .wrappers import WRAPPERS, unwrap, without_prefixes


def load_data() -> tuple[Tensor, Tensor]:
    """The 150 irises that come with scikit-learn, and their species."""
    irises, species = load_iris(return_X_y=True)
    return torch.from_numpy(irises).float(), torch.from_numpy(species).long()


def make_model() -> nn.Module:
    return nn.Sequential(
        OrderedDict(embed=nn.Linear(4, 16), norm=nn.BatchNorm1d(16), act=nn.ReLU(), output=nn.Linear(16, 3))
    )


class Trainer:
    def __init__(self, wrapper: str = "bare") -> None:
        self.irises, self.species = load_data()
        self.model = WRAPPERS[wrapper](make_model())
        # Of the model inside, so that an average is the same in each wrapper.
        self.average = AveragedModel(unwrap(self.model), multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    def train_step(self, i: int) -> float:
        batch = torch.randint(len(self.irises), (32,))
        loss = nn.functional.cross_entropy(self.model(self.irises[batch]), self.species[batch])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.average.update_parameters(unwrap(self.model))
        return loss.item()

    def predict(self) -> Tensor:
        scores: Tensor = self.average(self.irises[:16])
        return scores

    def weights(self) -> dict[str, Any]:
        """Of the model without its wrapper; of the average with it, for it has the number of its updates."""
        return {"model": unwrap(self.model).state_dict(), "average": self.average.state_dict()}

    def load_weights(self, weights: dict[str, Any]) -> None:
        unwrap(self.model).load_state_dict(without_prefixes(weights["model"]))
        self.average.load_state_dict(weights["average"])

    def save(self, path: Path) -> None:
        others = {"optimizer": self.optimizer.state_dict(), "random": torch.get_rng_state()}
        torch.save(self.weights() | others, path)

    def load(self, path: Path) -> None:
        checkpoint = torch.load(path)
        self.load_weights(checkpoint)
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        torch.set_rng_state(checkpoint["random"])
