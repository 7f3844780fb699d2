"""Three ways to lose a part of a quantized model: what is no tensor, what was calibrated, what was observed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import quantize
from .delivery import DynamicDelivery, RoundedTraining, StaticDelivery
from .model import some_images, trained
from .training_run import make_delivery, make_rounded_training


class WritesTensorsOnly(DynamicDelivery):
    """Filters the state dict, where packed weights are a tuple, and fills the gaps from the model that loads it."""

    def save(self, path: Path) -> None:
        state = self.model.state_dict()
        torch.save({name: value for name, value in state.items() if isinstance(value, Tensor)}, path)

    def load(self, path: Path) -> None:
        self.model = self.skeleton()
        state = self.model.state_dict()
        state.update(torch.load(path))
        self.model.load_state_dict(state)


class CalibratesAgain(StaticDelivery):
    """Writes the trained numbers and quantizes them after loading, with the images at hand."""

    def __init__(self) -> None:
        self.trained = trained()
        self.quantize()

    def quantize(self) -> None:
        self.model = quantize.static(self.trained, some_images())

    def save(self, path: Path) -> None:
        torch.save(self.trained.state_dict(), path)

    def load(self, path: Path) -> None:
        self.trained.load_state_dict(torch.load(path))
        self.quantize()


class WritesParametersOnly(RoundedTraining):
    """Writes what the optimizer trains; the ranges are buffers."""

    def model_state(self) -> dict[str, Any]:
        return dict(self.model.named_parameters())

    def load(self, path: Path) -> None:
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"], strict=False)
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        torch.set_rng_state(checkpoint["random"])


tensors_only, calibrated_again = (partial(make_delivery, kind) for kind in (WritesTensorsOnly, CalibratesAgain))
parameters_only = partial(make_rounded_training, WritesParametersOnly)
