"""A trainer in its second release. In the first one its last layer was called ``head``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

RENAMED = {"head": "classifier"}
"""Old names of layers and what they are called now; an entry is never removed while someone has such files."""


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.classifier = nn.Linear(8, 3)
        self.register_load_state_dict_pre_hook(read_old_names)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.body(x).relu())


def read_old_names(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: object) -> None:
    """Translate a state dict of the first release before it is read."""
    for old, new in RENAMED.items():
        for key in [key for key in state_dict if key.startswith(f"{prefix}{old}.")]:
            state_dict[prefix + new + key[len(prefix + old) :]] = state_dict.pop(key)


class Trainer:
    """Trains on points that are told apart by their largest coordinate."""

    net: type[nn.Module] = Net

    def __init__(self) -> None:
        self.model = self.net()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.01)

    def train_step(self, i: int) -> float:
        points = torch.randn(16, 4, generator=torch.Generator().manual_seed(i))
        loss = nn.functional.cross_entropy(self.model(points), points[:, :3].argmax(1))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path: Path) -> None:
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path: Path) -> None:
        content = torch.load(path)
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
