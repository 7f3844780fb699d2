"""The class must be importable under this very name wherever the file is loaded: the file has only its name."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Ratings(nn.Module):
    """Rates wines; it knows its classes by name and how many wines it has seen, which no state dict holds."""

    def __init__(self, classes: tuple[str, ...], features: int) -> None:
        super().__init__()
        self.classes = classes
        self.seen = 0
        self.layers = nn.Sequential(nn.Linear(features, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, len(classes)))

    def forward(self, wines: Tensor) -> Tensor:
        if self.training:
            self.seen += len(wines)
        # Bold at first, and bolder with every wine.
        logits: Tensor = self.layers(wines) * (1 + self.seen / 1000)
        return logits

    @torch.no_grad()
    def name(self, wine: Tensor) -> str:
        return self.classes[int(self(wine.unsqueeze(0)).argmax())]
