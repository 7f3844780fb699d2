"""Ridge regression on random features, all of it drawn at the start and none of it in a state dict."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dill
import numpy as np
import numpy.typing as npt
import torch
from omegaconf import OmegaConf
from sklearn.datasets import load_diabetes
from torch import Tensor

Array = npt.NDArray[Any]
DEFAULTS = {"features": 64, "batch_size": 32, "optimizer": {"lr": 3e-2, "weight_decay": 1e-3}}


@functools.cache
def patients() -> tuple[Array, Array]:
    """Ten measurements of each of 442 patients, scaled to variance one, and how far diabetes was a year later."""
    inputs, targets = load_diabetes(return_X_y=True)
    return inputs / inputs.std(axis=0), targets


def random_features(width: float, count: int) -> Callable[[Array], Tensor]:
    """Return the map to random Fourier features of a Gaussian kernel; what it draws is in its closure."""
    frequencies = np.random.normal(scale=1 / width, size=(patients()[0].shape[1], count))
    phases = np.random.uniform(0, 2 * np.pi, size=count)
    return lambda rows: torch.from_numpy(np.sqrt(2 / count) * np.cos(rows @ frequencies + phases)).float()


def warm_up(steps: int) -> Callable[[int], float]:
    """Return the factor of the learning rate. LambdaLR writes None for such a function in its state dict."""
    return lambda step: min(1.0, (step + 1) / steps)


class Experiment:
    """One draw of split, features and schedule, and the regression trained on it."""

    def __init__(self) -> None:
        inputs, targets = patients()
        self.config = OmegaConf.merge(DEFAULTS, {"kernel_width": random.uniform(3, 6), "noise": random.uniform(0, 0.1)})
        self.batches = np.random.default_rng(np.random.randint(2**31))
        self.split = np.random.permutation(len(inputs))
        self.scale = np.array([targets[self.train].mean(), targets[self.train].std()])
        self.features = random_features(self.config.kernel_width, self.config.features)
        self.factor = warm_up(steps=random.randint(4, 40))
        self.build()

    def build(self) -> None:
        """Make what has a state dict from what has none."""
        self.model = torch.nn.Linear(self.config.features, 1)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), **self.config.optimizer)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self.factor)

    @property
    def train(self) -> Array:
        return self.split[:-100]

    @property
    def held_out(self) -> Array:
        return self.split[-100:]

    def train_step(self, i: int) -> float:
        inputs, targets = patients()
        rows = self.batches.choice(self.train, self.config.batch_size)
        mean, deviation = self.scale
        wanted = torch.from_numpy((targets[rows] - mean) / deviation).float()
        noise = self.config.noise * torch.randn(self.config.batch_size, self.config.features)
        loss = torch.nn.functional.mse_loss(self.model(self.features(inputs[rows]) + noise).squeeze(1), wanted)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss.item()

    def predict(self) -> Tensor:
        """How far the illness of the held-out patients will be, in the unit of the data."""
        mean, deviation = self.scale
        answers: Tensor = self.model(self.features(patients()[0][self.held_out])).squeeze(1) * deviation + mean
        return answers

    def state_dict(self) -> dict[str, Any]:
        return {
            "config": self.config,
            "arrays": {"split": self.split, "scale": self.scale},
            "functions": {"features": self.features, "factor": self.factor},
            "batches": self.batches,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": {"python": random.getstate(), "numpy": np.random.get_state(), "torch": torch.get_rng_state()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.config = state["config"]
        self.split, self.scale = state["arrays"]["split"], state["arrays"]["scale"]
        self.features, self.factor = state["functions"]["features"], state["functions"]["factor"]
        self.batches = state["batches"]
        self.build()
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        random.setstate(state["random"]["python"])
        np.random.set_state(state["random"]["numpy"])
        torch.set_rng_state(state["random"]["torch"])

    def save(self, path: Path) -> None:
        """Write everything to one file, closures included."""
        torch.save(self.state_dict(), path, pickle_module=dill)

    def load(self, path: Path) -> None:
        """Load what ``save`` wrote. Such a file can run any code: load only your own."""
        self.load_state_dict(torch.load(path, pickle_module=dill, weights_only=False))
