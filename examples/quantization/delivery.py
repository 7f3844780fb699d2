"""A quantized model on its way to a device, and a run that trains with rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.ao.quantization import disable_observer, enable_observer

from . import quantize
from .model import Classifier, digits, some_images, train_step, trained


class Delivery:
    """A trained and quantized model. ``load`` builds one of the same shape, and the file fills it."""

    model: nn.Module

    def save(self, path: Path) -> None:
        torch.save(self.model.state_dict(), path)

    def load(self, path: Path) -> None:
        self.model = self.skeleton()
        self.model.load_state_dict(torch.load(path))

    def skeleton(self) -> nn.Module:
        raise NotImplementedError

    def predict(self) -> Tensor:
        logits: Tensor = self.model(digits()[0][:64])
        return logits


class DynamicDelivery(Delivery):
    """Linear layers with packed weights."""

    def __init__(self) -> None:
        self.model = quantize.dynamic(trained())

    def skeleton(self) -> nn.Module:
        return quantize.dynamic(Classifier())


class StaticDelivery(Delivery):
    """Integers from the first layer to the last, with a scale and a zero point for each."""

    def __init__(self) -> None:
        self.model = quantize.static(trained(), some_images())

    def skeleton(self) -> nn.Module:
        return quantize.static(Classifier(), calibration=None)


class RoundedTraining:
    """Training with fake quantization: the ranges seen so far are as much a part of it as the weights."""

    def __init__(self) -> None:
        self.model = quantize.for_training(Classifier())
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    def train_step(self, i: int) -> float:
        return train_step(self.model, self.optimizer)

    def predict(self) -> Tensor:
        """Observers look on in eval mode too: an evaluation that leaves them on moves the ranges."""
        self.model.apply(disable_observer)
        logits: Tensor = self.model(digits()[0][:64])
        self.model.apply(enable_observer)
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
