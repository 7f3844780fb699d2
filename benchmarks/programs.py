"""The small training program that the benchmarks run: an MLP with AdamW and a schedule, saved by itself."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import torch

from pytest_ckpt import TrainingRun
from pytest_ckpt.golden.guarding import Guarded
from pytest_ckpt.plugin.ckpt_fixture import CkptFixture
from pytest_ckpt.plugin.settings import Settings

__all__ = ["INPUTS", "Trainer", "ckpt_fixture", "make_mlp", "make_run", "make_run_without_save"]

_INPUT, _HIDDEN, _OUTPUT = 32, 64, 10
INPUTS = torch.linspace(-1, 1, 16 * _INPUT).reshape(16, _INPUT)


def make_mlp(layers: int = 3) -> torch.nn.Sequential:
    widths = [_INPUT, *[_HIDDEN] * (layers - 1), _OUTPUT]
    linear = [torch.nn.Linear(before, after) for before, after in itertools.pairwise(widths)]
    return torch.nn.Sequential(*(module for layer in linear for module in (layer, torch.nn.ReLU())))


class Trainer:
    """What people write: everything a resume needs is in the checkpoint, the random state included."""

    def __init__(self, layers: int = 3) -> None:
        self.model = make_mlp(layers)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=2)

    def train_step(self, i: int = 0) -> float:
        loss = torch.nn.functional.cross_entropy(self.model(torch.randn(16, _INPUT)), torch.arange(16) % _OUTPUT)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss.item()

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": torch.get_rng_state(),
        }

    def save(self, path: Path) -> None:
        torch.save(self.state(), path)

    def load(self, path: Path) -> None:
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.scheduler.load_state_dict(checkpoint["scheduler"])
        torch.set_rng_state(checkpoint["random"])


def make_run() -> TrainingRun:
    trainer = Trainer()
    return TrainingRun(components=_components(trainer), step=trainer.train_step, save=trainer.save, load=trainer.load)


def make_run_without_save(layers: int = 3) -> TrainingRun:
    trainer = Trainer(layers)
    return TrainingRun(components=_components(trainer), step=trainer.train_step)


def _components(trainer: Trainer) -> dict[str, Any]:
    return {"model": trainer.model, "optimizer": trainer.optimizer, "scheduler": trainer.scheduler}


def ckpt_fixture() -> CkptFixture:
    """Return what a test gets as ``ckpt``, without a pytest around it."""

    def no_guard(*arguments: object) -> Guarded:
        raise NotImplementedError

    return CkptFixture(
        settings=Settings(),
        record=lambda outcome: None,
        limit=10,
        per_check=lambda settings: {},
        guard=no_guard,
    )
