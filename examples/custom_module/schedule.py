"""A learning rate that goes down in stairs, and one that forgets how far along a stair it is."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class Stairs(LRScheduler):
    """Halves the learning rate after every ``patience`` steps."""

    def __init__(self, optimizer: Optimizer, patience: int = 3) -> None:
        self.patience = patience
        self.waited = -1  # the constructor of LRScheduler takes a first step
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Any]:
        self.waited += 1
        if self.waited < self.patience:
            return [group["lr"] for group in self.optimizer.param_groups]
        self.waited = 0
        return [group["lr"] / 2 for group in self.optimizer.param_groups]


class ForgetfulStairs(Stairs):
    """Names what it saves, and left out a counter: the stair begins again on resume."""

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch, "_last_lr": self._last_lr}
