"""A small convolutional classifier of digits, and the data."""

from __future__ import annotations

import functools

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.ao.quantization import DeQuantStub, QuantStub


@functools.cache
def digits() -> tuple[Tensor, Tensor]:
    """1797 images, (N, 1, 8, 8) in [0, 1], and their labels."""
    bunch = load_digits()
    return torch.from_numpy(bunch.images).float().unsqueeze(1) / 16, torch.from_numpy(bunch.target).long()


def some_images(count: int = 128) -> Tensor:
    """A random sample to calibrate with."""
    images, _ = digits()
    return images[torch.randint(len(images), (count,))]


class Classifier(nn.Module):
    """Says where numbers become integers (``quant``) and numbers again (``dequant``)."""

    def __init__(self) -> None:
        super().__init__()
        self.quant = QuantStub()
        self.conv = nn.Conv2d(1, 8, kernel_size=3, stride=2)
        self.relu = nn.ReLU()
        self.flatten = nn.Flatten()
        self.head = nn.Linear(8 * 3 * 3, 10)
        self.dequant = DeQuantStub()

    def forward(self, images: Tensor) -> Tensor:
        features = self.relu(self.conv(self.quant(images)))
        logits: Tensor = self.dequant(self.head(self.flatten(features)))
        return logits


def train_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> float:
    images, labels = digits()
    batch = torch.randint(len(images), (64,))
    loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def trained(steps: int = 20) -> Classifier:
    model = Classifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        train_step(model, optimizer)
    return model.eval()
