"""The default checks against the training they check, and one resume against pytest-torch's."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from pytest_torch.training_loop import TrainingSetup, assert_resume_equivalent

from benchmarks.measuring import Spread, one_after_another
from benchmarks.programs import Trainer, ckpt_fixture, make_run
from benchmarks.table import Row
from pytest_ckpt import check_training_run

__all__ = ["measure"]

_STEPS, _AT = 6, 3
_ROUNDS = 10
"""How many times as many rounds the resumes have: each takes a few milliseconds."""


def measure(rounds: int) -> Iterator[Row]:
    torch.set_num_threads(1)
    checks = one_after_another(
        {"training": _train_save_load, "checks": _all_default_checks}, rounds=rounds, clock=time.perf_counter
    )
    yield Row(
        benchmark="checks",
        measured="default checks / 6 steps, 1 save, 1 load",
        spread=Spread.ratio(checks["checks"], checks["training"]),
        limit=40.0,
    )
    ckpt = ckpt_fixture()
    resumes = one_after_another(
        {
            "ours": lambda: ckpt.resume(make_run, at=_AT, steps=_STEPS),
            "theirs": _resume_by_pytest_torch,
        },
        rounds=rounds * _ROUNDS,
    )
    yield Row(
        benchmark="checks",
        measured="resume after 3 of 6 steps / assert_resume_equivalent",
        spread=Spread.ratio(resumes["ours"], resumes["theirs"]),
        limit=1.0,
    )


def _train_save_load() -> None:
    trainer = Trainer()
    for i in range(_STEPS):
        trainer.train_step(i)
    with tempfile.TemporaryDirectory() as folder:
        trainer.save(Path(folder, "checkpoint.pt"))
        trainer.load(Path(folder, "checkpoint.pt"))


def _all_default_checks() -> None:
    check_training_run(make_run, steps=_STEPS)


def _resume_by_pytest_torch() -> None:
    """Have it save, load and step as our run does; ``state`` keeps what its own setup has no name for."""
    trainers: dict[int, Trainer] = {}

    def make_setup() -> TrainingSetup:
        trainer = Trainer()
        setup = TrainingSetup(trainer.model, trainer.optimizer, trainer.scheduler)
        trainers[id(setup)] = trainer
        return setup

    assert_resume_equivalent(
        make_setup,
        0,
        lambda setup, batch: trainers[id(setup)].train_step(),
        steps=_STEPS,
        resume_at=_AT,
        save=lambda setup, path: trainers[id(setup)].save(path),
        load=lambda setup, path: trainers[id(setup)].load(path),
    )
