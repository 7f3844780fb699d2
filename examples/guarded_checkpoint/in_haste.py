"""The same release as two hurried authors would have written it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import nn

from .train import Trainer
from .training_run import make_run


class RenamedNet(nn.Module):
    """Renames the layer, and that is that."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.classifier = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.body(x).relu())


class Renamed(Trainer):
    net = RenamedNet


class Silenced(Renamed):
    """The load raised, so it was told not to."""

    def load(self, path: Path) -> None:
        content = torch.load(path)
        self.model.load_state_dict(content["model"], strict=False)
        self.optimizer.load_state_dict(content["optimizer"])


renamed, silenced = (partial(make_run, kind) for kind in (Renamed, Silenced))
