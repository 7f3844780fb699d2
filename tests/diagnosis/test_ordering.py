"""Schedulers that are built or loaded in a wrong order are recognised, and right orders are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import Optimizer
from torch.optim import lr_scheduler as schedules
from zoo_parts import batch, fit, mlp

from pytest_ckpt import Outcome, TrainingRun, check_training_run

Schedule = Callable[[Optimizer], Any]

SCHEDULES: dict[str, Schedule] = {
    "ConstantLR": lambda optimizer: schedules.ConstantLR(optimizer, 0.3, 4),
    "LinearLR": lambda optimizer: schedules.LinearLR(optimizer, 0.3, total_iters=4),
    "LambdaLR": lambda optimizer: schedules.LambdaLR(optimizer, lambda epoch: 0.9**epoch),
    "CosineAnnealingWarmRestarts": lambda optimizer: schedules.CosineAnnealingWarmRestarts(optimizer, 3),
    "OneCycleLR": lambda optimizer: schedules.OneCycleLR(optimizer, 0.1, total_steps=20),
    "CyclicLR": lambda optimizer: schedules.CyclicLR(optimizer, 0.01, 0.1, step_size_up=3),
}


class Trainer:
    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.model = mlp()
        self.optimizer = self.make_optimizer()
        self.scheduler = schedule(self.optimizer)

    def make_optimizer(self) -> Optimizer:
        return torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)

    def components(self) -> dict[str, Any]:
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def step(self, i: int) -> float:
        loss = fit(self.model, self.optimizer, batch(i))
        self.scheduler.step()
        return loss

    def save(self, path: Path) -> None:
        torch.save([part.state_dict() for part in self.components().values()], path)

    def load(self, path: Path) -> None:
        model, optimizer, scheduler = torch.load(path, weights_only=False)
        self.model.load_state_dict(model)
        self.resume(optimizer, scheduler)

    def resume(self, optimizer: Any, scheduler: Any) -> None:
        self.optimizer.load_state_dict(optimizer)
        self.scheduler.load_state_dict(scheduler)


class BuildsTheScheduleLast(Trainer):
    def resume(self, optimizer: Any, scheduler: Any) -> None:
        self.optimizer.load_state_dict(optimizer)
        self.scheduler = self.schedule(self.optimizer)
        self.scheduler.load_state_dict(scheduler)


class LoadsByKeyword(Trainer):
    def resume(self, optimizer: Any, scheduler: Any) -> None:
        self.optimizer.load_state_dict(state_dict=optimizer)
        self.scheduler = self.schedule(self.optimizer)
        self.scheduler.load_state_dict(state_dict=scheduler)


class BuildsTheOptimizerAgain(Trainer):
    def resume(self, optimizer: Any, scheduler: Any) -> None:
        self.optimizer = self.make_optimizer()
        self.optimizer.load_state_dict(optimizer)
        self.scheduler.load_state_dict(scheduler)


class BuildsBothAgain(Trainer):
    def resume(self, optimizer: Any, scheduler: Any) -> None:
        self.optimizer = self.make_optimizer()
        self.scheduler = self.schedule(self.optimizer)
        super().resume(optimizer, scheduler)


class LoadsTheOptimizerLast(Trainer):
    def resume(self, optimizer: Any, scheduler: Any) -> None:
        self.scheduler = self.schedule(self.optimizer)
        self.scheduler.load_state_dict(scheduler)
        self.optimizer.load_state_dict(optimizer)


class ForgetsTheOptimizer(Trainer):
    def resume(self, optimizer: Any, scheduler: Any) -> None:
        self.scheduler.load_state_dict(scheduler)


def outcome_of(trainer: type[Trainer], schedule: str, check: str) -> Outcome:
    def make_run() -> TrainingRun:
        made = trainer(SCHEDULES[schedule])
        return TrainingRun(components=made.components, step=made.step, save=made.save, load=made.load)

    return check_training_run(make_run, select=[check], raise_on_failure=False)[check]


every_schedule = pytest.mark.parametrize("schedule", SCHEDULES)


@every_schedule
@pytest.mark.parametrize("trainer", [Trainer, BuildsBothAgain, LoadsTheOptimizerLast])
def test_a_right_order_passes(trainer: type[Trainer], schedule: str) -> None:
    assert outcome_of(trainer, schedule, "resume_is_exact").status == "pass"


@every_schedule
@pytest.mark.parametrize("check", ["state_is_restored", "resume_is_exact"])
@pytest.mark.parametrize("trainer", [BuildsTheScheduleLast, LoadsByKeyword])
def test_a_schedule_that_is_built_after_the_optimizer_was_loaded(
    trainer: type[Trainer], schedule: str, check: str
) -> None:
    outcome = outcome_of(trainer, schedule, check)

    what = f"load builds a {schedule} after it has loaded the optimizer: building one sets the learning rate anew."
    assert outcome.status == "fail"
    assert outcome.details[-1] == what
    assert outcome.advice == "Build the scheduler first, then load the optimizer's state, then the scheduler's."


@every_schedule
def test_a_schedule_that_drives_the_optimizer_of_before(schedule: str) -> None:
    outcome = outcome_of(BuildsTheOptimizerAgain, schedule, "resume_is_exact")

    what = "After loading, scheduler drives an optimizer that is no component of the run any more."
    assert outcome.status == "fail"
    assert outcome.details[-1] == what
    assert outcome.advice == "Build scheduler again for the optimizer that load made, then load the state of both."


def test_an_optimizer_that_is_forgotten_is_no_matter_of_order() -> None:
    outcome = outcome_of(ForgetsTheOptimizer, "LinearLR", "resume_is_exact")

    assert outcome.status == "fail"
    assert "optimizer" in outcome.causes
    assert outcome.advice.startswith("Save optimizer.state_dict() and give it to optimizer.load_state_dict() in load")


def test_torch_is_as_it_was_after_the_search() -> None:
    before = schedules.LRScheduler.__init__, Optimizer.load_state_dict

    outcome_of(BuildsTheScheduleLast, "LinearLR", "resume_is_exact")

    assert (schedules.LRScheduler.__init__, Optimizer.load_state_dict) == before
