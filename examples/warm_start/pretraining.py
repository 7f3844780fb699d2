"""The other project: it has learned the digits 0 to 4, and what it wrote has its own names and one head too many."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn


def load_images(classes: range) -> tuple[Tensor, Tensor]:
    """The images of these digits, (N, 1, 8, 8) in [0, 1], and their labels, counted from 0."""
    bunch = load_digits()
    images, labels = torch.from_numpy(bunch.images).float().unsqueeze(1) / 16, torch.from_numpy(bunch.target).long()
    chosen = (labels >= classes.start) & (labels < classes.stop)
    return images[chosen], labels[chosen] - classes.start


class Pretrained(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            OrderedDict(conv=nn.Conv2d(1, 8, 3), norm=nn.BatchNorm2d(8), act=nn.ReLU(), pool=nn.AdaptiveAvgPool2d(3))
        )
        self.classifier = nn.Linear(8 * 3 * 3, 5)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.encoder(images).flatten(1))
        return logits


def pretrain(path: Path, steps: int = 20) -> None:
    images, labels = load_images(range(5))
    model = Pretrained()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        batch = torch.randint(len(images), (64,))
        nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()
        optimizer.zero_grad()
    torch.save({"state_dict": model.state_dict(), "classes": 5}, path)
