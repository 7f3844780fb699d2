"""Shows quantized models to pytest-ckpt, and the training that prepares one."""

from __future__ import annotations

from pytest_ckpt import TrainingRun

from .delivery import Delivery, RoundedTraining, StaticDelivery


def make_delivery(kind: type[Delivery]) -> TrainingRun:
    """There is no training step, so what is checked is the group ``fidelity``."""
    delivery = kind()
    return TrainingRun.from_object(delivery, save=delivery.save, load=delivery.load, predict=delivery.predict)


def make_bare_model() -> TrainingRun:
    """Leave the writing to pytest-ckpt, in the formats asked for."""
    delivery = StaticDelivery()
    return TrainingRun(components={"model": delivery.model}, predict=delivery.predict)


def make_rounded_training(kind: type[RoundedTraining] = RoundedTraining) -> TrainingRun:
    training = kind()
    return TrainingRun.from_object(
        training, step=training.train_step, save=training.save, load=training.load, predict=training.predict
    )
