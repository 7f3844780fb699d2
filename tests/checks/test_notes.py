"""What is worth knowing of a state that was restored, word for word."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_program import Clock, Program, factory

from pytest_ckpt import TrainingRun, check_training_run


def notes_of(make_run: Any, **options: Any) -> tuple[str, ...]:
    return check_training_run(make_run, select=["state_is_restored"], steps=3, **options)["state_is_restored"].notes


def with_clocks() -> TrainingRun:
    program = Program()
    components = {"model": program.model, "optimizer": program.optimizer, "b": Clock(), "a": Clock()}
    return TrainingRun(components=components, step=program.step, save=program.save, load=program.load)


def test_what_changes_by_itself_is_named_in_order() -> None:
    assert notes_of(with_clocks) == ("Not compared, since they change by themselves: a.reads, b.reads.",)


def with_buffers(count: int) -> Any:
    def make_run() -> TrainingRun:
        program = Program()
        for index in range(count):
            program.model.register_buffer(f"mask_{index}", torch.zeros(2))
        components = {"model": program.model, "optimizer": program.optimizer}
        return TrainingRun(components=components, step=program.step, save=program.save, load=program.load)

    return make_run


@pytest.mark.parametrize(("count", "more"), [(1, ""), (5, ""), (6, " and 1 more"), (8, " and 3 more")])
def test_tensors_that_a_fresh_run_holds_already_are_not_exercised(count: int, more: str) -> None:
    shown = ", ".join(f"model.mask_{index}" for index in range(min(count, 5)))

    assert notes_of(with_buffers(count)) == (
        f"Not exercised, since the fresh run held the same before loading: {shown}{more}.",
    )


def test_what_is_ignored_is_said_with_what_is_not_exercised() -> None:
    assert notes_of(with_buffers(1), ignore=["optimizer", "rng.*"]) == (
        "Not exercised, since the fresh run held the same before loading: model.mask_0.",
        "Carried over instead of loaded: optimizer, rng.*.",
    )


class SavesLater(Program):
    """Writes what the last step left behind."""

    left: float | None = None

    def step(self, i: int) -> float:
        self.left = super().step(i)
        return self.left

    def state(self) -> dict[str, Any]:
        if self.left is None:
            raise RuntimeError("nothing to save")
        return super().state()


def test_a_run_that_cannot_be_saved_untrained_is_resumed_from_the_first_step_on() -> None:
    assert notes_of(factory(SavesLater)) == (
        "Not resumed from 0 steps, since an untrained run cannot be saved: save(path) after 0 steps raised "
        "RuntimeError: nothing to save.",
    )
