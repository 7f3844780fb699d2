"""A small convolutional classifier of digits that has been trained for a moment."""

from __future__ import annotations

import functools

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn


@functools.cache
def digits() -> tuple[Tensor, Tensor]:
    """1797 images, (N, 1, 8, 8) in [0, 1], and their labels."""
    bunch = load_digits()
    return torch.from_numpy(bunch.images).float().unsqueeze(1) / 16, torch.from_numpy(bunch.target).long()


def classifier(norm: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, kernel_size=3, stride=2),
        norm,
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(8 * 3 * 3, 10),
    )


def group_norm() -> nn.Module:
    return nn.GroupNorm(2, 8)


def batch_norm() -> nn.Module:
    return nn.BatchNorm2d(8)


def trained(norm: nn.Module, steps: int = 10) -> nn.Sequential:
    """Return a trained classifier, in train mode as training leaves it."""
    model = classifier(norm)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    images, labels = digits()
    for _ in range(steps):
        batch = torch.randint(len(images), (64,))
        loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model
