"""Shows the model to pytest-ckpt, once alone and once as what is delivered."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from pytest_ckpt import TrainingRun

from .artifact import Artifact
from .deployment import Deployment
from .model import digits, group_norm, trained


def make_model(norm: Callable[[], nn.Module] = group_norm) -> TrainingRun:
    """Give neither ``save`` nor ``load``: the formats of ``conftest.py`` write the model."""
    model = trained(norm())
    return TrainingRun(components={"model": model}, predict=lambda: model(digits()[0][:64]))


def make_deployment(
    save: Callable[[nn.Module, Path], None],
    load: Callable[[Path], Artifact],
    norm: Callable[[], nn.Module] = group_norm,
    answer: Callable[[Deployment], Any] = Deployment.logits,
) -> TrainingRun:
    deployment = Deployment(trained(norm()), save, load)
    return TrainingRun(
        components={"model": deployment.model},
        save=deployment.save,
        load=deployment.load,
        predict=partial(answer, deployment),
    )
