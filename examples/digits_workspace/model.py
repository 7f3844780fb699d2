"""The network: small enough to train on a laptop, with everything that a resume can get wrong."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """Two convolutions with batch norm, dropout and a linear head, for 8x8 digits."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(2 * width * 4 * 4, 10))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images))
        return logits


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices and kernels decay; biases and the scales of batch norm do not."""
    decay = [name for name, parameter in model.named_parameters() if parameter.ndim > 1]
    plain = [name for name, parameter in model.named_parameters() if parameter.ndim <= 1]
    return [
        {"params": [model.get_parameter(name) for name in decay], "weight_decay": weight_decay},
        {"params": [model.get_parameter(name) for name in plain], "weight_decay": 0.0},
    ]


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of right answers, in eval mode; the model trains on afterwards."""
    model.eval()
    right = (model(images).argmax(dim=1) == labels).float().mean()
    model.train()
    return float(right)
