"""Shows the script to pytest-ckpt: what is trained, one step of it, and the script's own save and load."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_ckpt import TrainingRun

from .train import load_checkpoint, load_data, save_checkpoint, set_up, train_epoch


def make_run(load: Callable[..., None] = load_checkpoint) -> TrainingRun:
    data, parts = load_data(), set_up()
    return TrainingRun(
        components={name: parts[name] for name in ("model", "optimizer", "scheduler")},
        step=lambda epoch: train_epoch(data, **parts),  # what it returns is compared too, best_accuracy with it
        save=partial(save_checkpoint, **parts),
        load=partial(load, **parts),
    )
