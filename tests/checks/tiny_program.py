"""A program whose numbers are exact on every machine, so that a report can be asserted word for word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pytest_ckpt import TrainingRun, check_training_run
from pytest_ckpt.reporting import report

__all__ = ["Clock", "Program", "factory", "report_of"]


class Program:
    """Two weights that fall by halves. A subclass has one bug.

    The count of steps is a plain attribute; the training depends on it, and the checkpoint holds it.
    """

    def __init__(self) -> None:
        self.model = torch.nn.Linear(2, 1, bias=False)
        torch.nn.init.zeros_(self.model.weight)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.5, momentum=0.5)
        self.count = 0

    def step(self, i: int) -> float:
        self.optimizer.zero_grad()
        loss = self.model.weight.sum() + self.count
        loss.backward()
        self.optimizer.step()
        self.count += 1
        return loss.item()

    def predict(self) -> torch.Tensor:
        scores: torch.Tensor = self.model(torch.ones(2))
        return scores

    def state(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "count": self.count}

    def save(self, path: Path) -> None:
        torch.save(self.state(), path)

    def load(self, path: Path) -> None:
        self.restore(torch.load(path))

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.count = state["count"]


class Clock:
    """Never says the same twice."""

    def __init__(self) -> None:
        self.reads = 0

    def state_dict(self) -> dict[str, int]:
        self.reads += 1
        return {"reads": self.reads}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Nobody sets a clock."""


def factory(program: Callable[[], Program], **overrides: Any) -> Callable[[], TrainingRun]:
    """Return a ``make_run`` of a program; ``overrides`` are fields of the run."""

    def make_run() -> TrainingRun:
        made = program()
        fields: dict[str, Any] = {
            "components": {"model": made.model, "optimizer": made.optimizer},
            "step": made.step,
            "save": made.save,
            "load": made.load,
            "predict": made.predict,
            "name": "tiny",
        }
        return TrainingRun(**{**fields, **overrides})

    return make_run


def report_of(program: Callable[[], Program], check: str, **options: Any) -> str:
    """Return the report of one check after 3 steps, saved before each of them."""
    options = {"steps": 3, "raise_on_failure": False} | options
    return report(check_training_run(factory(program), select=[check], **options))
