"""What a trial of the search is made of, and how one is drawn."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides what the model, the optimizer and the loss look like."""

    width: int
    dropout: float
    lr: float
    weight_decay: float
    smoothing: float

    @classmethod
    def draw(cls) -> Self:
        """Draw a configuration, as a random search does for each of its trials."""
        return cls(
            width=random.randrange(8, 33),
            dropout=random.uniform(0.0, 0.3),
            lr=10 ** random.uniform(-3, -2),
            weight_decay=10 ** random.uniform(-4, -1),
            smoothing=random.uniform(0.0, 0.2),
        )
