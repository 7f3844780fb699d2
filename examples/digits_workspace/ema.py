"""What training keeps beside the model: a running average of the weights, and the best ones so far."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn


class Ema:
    """An exponential moving average of a model, slow at first: the decay follows a power schedule."""

    def __init__(self, model: nn.Module, power: float, max_decay: float) -> None:
        self.averaged = copy.deepcopy(model).eval().requires_grad_(False)
        self.power = power
        self.max_decay = max_decay
        self.steps = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        decay = min(self.max_decay, 1 - (1 + self.steps) ** -self.power)
        for average, parameter in zip(self.averaged.parameters(), model.parameters(), strict=True):
            average.lerp_(parameter, 1 - decay)
        for copied, buffer in zip(self.averaged.buffers(), model.buffers(), strict=True):
            copied.copy_(buffer)
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "averaged": self.averaged.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]
        self.averaged.load_state_dict(state["averaged"])


class Best:
    """The highest accuracy so far and the weights that reached it."""

    def __init__(self) -> None:
        self.accuracy = 0.0
        self.weights: dict[str, Any] = {}

    def update(self, accuracy: float, model: nn.Module) -> None:
        if accuracy > self.accuracy:
            self.accuracy = accuracy
            self.weights = copy.deepcopy(model.state_dict())

    def state_dict(self) -> dict[str, Any]:
        return {"accuracy": self.accuracy, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.accuracy = state["accuracy"]
        self.weights = state["weights"]
