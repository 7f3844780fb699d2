"""Bad programs, and programs of which nothing can be said."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import nn
from zoo_parts import batch, fit, mlp

from pytest_ckpt import TrainingRun


def nondeterministic_training() -> TrainingRun:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(i: int) -> float:
        noise = int.from_bytes(os.urandom(2), "big") / 2**16
        return fit(model, optimizer, batch(i) + noise)

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)


def training_that_moves_nothing() -> TrainingRun:
    return TrainingRun(components={"model": nn.Linear(2, 2)}, step=lambda i: 1.0)


def self_seeding_without_step() -> TrainingRun:
    torch.manual_seed(0)
    model = mlp()
    return TrainingRun(components={"model": model}, predict=lambda: model(batch(0)))


_MODEL = mlp()


def the_same_model_each_time() -> TrainingRun:
    optimizer = torch.optim.SGD(_MODEL.parameters(), lr=0.1)
    return TrainingRun(
        components={"model": _MODEL, "optimizer": optimizer}, step=lambda i: fit(_MODEL, optimizer, batch(i))
    )


def prediction_with_noise_from_outside() -> TrainingRun:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return TrainingRun(
        components={"model": model, "optimizer": optimizer},
        step=lambda i: fit(model, optimizer, batch(i)),
        predict=lambda: model(batch(0)) + int.from_bytes(os.urandom(2), "big"),
    )


class FirstCheckpointOnly:
    """`if steps > 1` takes the very first checkpoint for a fresh start; all the others resume well."""

    def __init__(self) -> None:
        self.model = mlp()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.steps = 0

    def step(self, i: int) -> float:
        self.steps += 1
        return fit(self.model, self.optimizer, batch(i) / self.steps)

    def save(self, path: Path) -> None:
        torch.save([self.model.state_dict(), self.optimizer.state_dict(), self.steps], path)

    def load(self, path: Path) -> None:
        model, optimizer, steps = torch.load(path)
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)
        if steps > 1:
            self.steps = steps


def wrong_after_the_first_step_only() -> TrainingRun:
    program = FirstCheckpointOnly()
    return TrainingRun.from_object(program, step=program.step, save=program.save, load=program.load)


class Average(nn.Module):
    """A running sum of the weights that no result of a step depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(2, 6))


def wrong_in_the_final_state_only() -> TrainingRun:
    """The average is right in the checkpoint; how many weights went into it is forgotten, and weighs the next."""
    model, average = mlp(), Average()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    seen = {"count": 0}

    def step(i: int) -> float:
        loss = fit(model, optimizer, batch(i))
        seen["count"] += 1
        average.total += (model[2].weight.detach() - average.total) / seen["count"]  # type: ignore[operator]
        return loss

    return TrainingRun(components={"model": model, "optimizer": optimizer, "average": average}, step=step)


def save_raises() -> TrainingRun:
    def save(path: Path) -> None:
        raise PermissionError("the bucket is read-only")

    return TrainingRun(components={"model": mlp()}, step=lambda i: float(i), save=save, load=lambda path: None)


def load_raises() -> TrainingRun:
    model = mlp()

    def load(path: Path) -> None:
        model.load_state_dict(torch.load(path)["weights"])

    def save(path: Path) -> None:
        torch.save({"model": model.state_dict()}, path)

    return TrainingRun(components={"model": model}, step=lambda i: float(i), save=save, load=load)
