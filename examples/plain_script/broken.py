"""The same script with other ways to load: each is wrong, and each trains on without an error."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch

from .train import load_checkpoint
from .training_run import make_run


def load_the_usual(path: Path, *, model: Any, optimizer: Any, scheduler: Any, progress: dict[str, Any]) -> None:
    """Weights, optimizer, epoch and loss, as in many a tutorial: no schedule, no random state."""
    checkpoint = torch.load(path)
    model.load_state_dict(checkpoint["model_state_dict"])
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    progress.update({name: checkpoint[name] for name in progress})


def load_and_forget_the_best(path: Path, **parts: Any) -> None:
    """The first epoch after a resume is the best ever, whatever it is worth, and its file replaces the best one."""
    load_checkpoint(path, **parts)
    parts["progress"]["best_accuracy"] = 0.0


only_the_usual = partial(make_run, load=load_the_usual)
best_forgotten = partial(make_run, load=load_and_forget_the_best)
