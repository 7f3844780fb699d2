"""Fine-tuning on the digits 5 to 9: a pretrained backbone, frozen at first, under a new head."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from .pretraining import load_images

RENAMED = {"encoder.conv.": "backbone.0.", "encoder.norm.": "backbone.1."}


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(3))
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(8 * 3 * 3, 5))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(images))
        return logits


def warm_start(model: nn.Module, path: Path) -> None:
    """Take the backbone from another project's file; the new head stays as it is.

    Raises:
        RuntimeError: If the backbone is not there in full.
    """
    renamed = {}
    for key, value in torch.load(path)["state_dict"].items():
        for old, new in RENAMED.items():
            if key.startswith(old):
                renamed[new + key.removeprefix(old)] = value
    # Not strict, for the head is missing; so what else is missing has to be asked for.
    missing, unexpected = model.load_state_dict(renamed, strict=False)
    if wrong := [*unexpected, *(key for key in missing if not key.startswith("head."))]:
        raise RuntimeError(f"{path} is not the backbone of this model: {', '.join(wrong)}")


class FineTuning:
    """Trains the head alone, and after ``unfreeze_after`` steps all of it."""

    def __init__(self, pretrained: Path, unfreeze_after: int = 3) -> None:
        self.images, self.labels = load_images(range(5, 10))
        self.unfreeze_after = unfreeze_after
        self.steps = 0
        self.model = Classifier()
        self.initialize(pretrained)
        self.optimizer = torch.optim.AdamW(
            [{"params": self.model.head.parameters()}, {"params": self.model.backbone.parameters(), "lr": 1e-3}],
            lr=1e-2,
        )
        self.freeze(True)

    def initialize(self, pretrained: Path) -> None:
        warm_start(self.model, pretrained)

    def freeze(self, frozen: bool) -> None:
        """Frozen, the backbone has no gradients, and batch norm neither collects statistics nor uses the batch's."""
        self.model.backbone.requires_grad_(not frozen)
        self.model.backbone.train(not frozen)

    def train_step(self, i: int) -> float:
        if self.steps == self.unfreeze_after:
            self.freeze(False)
        batch = torch.randint(len(self.images), (32,))
        loss = nn.functional.cross_entropy(self.model(self.images[batch]), self.labels[batch])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        return loss.item()

    def save(self, path: Path) -> None:
        checkpoint = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
            "random": torch.get_rng_state(),
        }
        torch.save(checkpoint, path)

    def load(self, path: Path) -> None:
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])  # strict: from here on nothing may be missing
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.steps = checkpoint["steps"]
        # One step unfroze it, and that step is over: it will not come again.
        self.freeze(self.steps <= self.unfreeze_after)
        torch.set_rng_state(checkpoint["random"])
