"""Shows the two players to pytest-ckpt, which finds the networks and their optimizers in the attributes."""

from __future__ import annotations

from pytest_ckpt import TrainingRun

from .train import Gan


def make_run(make_gan: type[Gan] = Gan) -> TrainingRun:
    gan = make_gan()
    return TrainingRun.from_object(gan, step=gan.train_step, save=gan.save, load=gan.load, predict=gan.samples)
