"""At which steps a run is stopped, and which differences count."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import zoo_bad
from tiny_program import Program, factory
from zoo_parts import batch, fit, mlp

from pytest_ckpt import Outcome, TrainingRun, UsageError, check_training_run


def resume(make_run: Callable[[], Any], **options: Any) -> Outcome:
    found = check_training_run(make_run, select=["resume_is_exact"], raise_on_failure=False, **options)
    return found["resume_is_exact"]


def test_a_bug_of_the_first_checkpoint_alone_is_found() -> None:
    outcome = resume(zoo_bad.wrong_after_the_first_step_only)

    assert outcome.status == "fail"
    assert "saved after 1 step, they part at step(1)" in outcome.summary
    assert outcome.causes == ("FirstCheckpointOnly.steps",)
    assert not any("So it is when" in line for line in outcome.details)


def test_at_leaves_steps_out() -> None:
    assert resume(zoo_bad.wrong_after_the_first_step_only, at=[0, 2, 3]).status == "pass"
    assert resume(zoo_bad.wrong_after_the_first_step_only, at=1).status == "fail"
    assert resume(zoo_bad.wrong_after_the_first_step_only, steps=1).status == "pass"


def test_a_bug_that_no_result_shows_is_found_in_the_final_state() -> None:
    outcome = resume(zoo_bad.wrong_in_the_final_state_only)

    assert outcome.status == "fail"
    assert outcome.summary == (
        "The resumed run ends in another state than the run that never stopped, saved after 1 step."
    )
    assert [mismatch.path for mismatch in outcome.mismatches] == ["average.total"]


@pytest.mark.parametrize(("period", "others"), [(2, "3 and 5"), (3, "2, 4 and 5")])
def test_every_step_to_resume_from_is_tried(period: int, others: str) -> None:
    """A sum over a window that the checkpoint leaves out; only where a window has just ended nothing is lost."""

    class Windows(Program):
        def step(self, i: int) -> float:
            self.count += i + 1
            total = self.count
            if i % period == period - 1:
                self.count = 0
            return float(total)

        def restore(self, state: dict[str, Any]) -> None:
            super().restore({**state, "count": 0})

    outcome = resume(factory(Windows))

    assert "saved after 1 step, they part at step(1)" in outcome.summary
    assert f"The same when saved after {others} steps." in outcome.details


class LosesMomentum(Program):
    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.optimizer.state.clear()


def test_the_step_where_the_runs_part_is_named() -> None:
    """Momentum shows in the weights first and in the loss of the step after."""
    assert "saved after 2 steps, they part at step(3)" in resume(factory(LosesMomentum), at=[2]).summary


def test_a_learning_rate_is_compared_at_every_step() -> None:
    """The rate rises and falls again, the gradient is zero: no loss and no weight tells."""

    class Rates(Program):
        def step(self, i: int) -> float:
            self.count += 1
            self.optimizer.param_groups[0]["lr"] = {2: 0.25, 3: 0.125}.get(self.count, 0.5)
            return 0.0

        def restore(self, state: dict[str, Any]) -> None:
            super().restore({**state, "count": 9})

    outcome = resume(factory(Rates), steps=5)

    assert outcome.status == "fail"
    assert [mismatch.path for mismatch in outcome.mismatches] == ["lr.optimizer[0]"]


class Stamped(Program):
    """Its state dict and its results hold what no two runs share: a clock, an id, the time that passed."""

    runs = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.id = f"run-{time.perf_counter_ns()}"
        self.clock = Clock(self.id)

    def step(self, i: int) -> dict[str, Any]:  # type: ignore[override]
        return {"loss": super().step(i), "elapsed": time.perf_counter_ns(), "run": self.id}

    def state(self) -> dict[str, Any]:
        return {**super().state(), "clock": self.clock.state_dict()}


class Clock:
    def __init__(self, run: str) -> None:
        self.run = run
        self.started = time.perf_counter_ns()

    def state_dict(self) -> dict[str, Any]:
        return {"run": self.run, "now": time.perf_counter_ns(), "started": self.started}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with its own time."""


def stamped(program: type[Stamped] = Stamped) -> TrainingRun:
    made = program()
    components = {"model": made.model, "optimizer": made.optimizer, "clock": made.clock}
    return TrainingRun(components=components, step=made.step, save=made.save, load=made.load)


def test_clocks_and_run_ids_are_no_failures() -> None:
    outcomes = check_training_run(stamped)

    assert {outcome.status for outcome in outcomes} == {"pass", "skipped"}
    assert "Not compared, since they change by themselves: clock.now." in outcomes["state_is_restored"].notes


def test_a_loss_beside_a_clock_is_still_compared() -> None:
    class Forgets(Stamped):
        def restore(self, state: dict[str, Any]) -> None:
            super().restore({**state, "count": 0})

    outcome = resume(lambda: stamped(Forgets))

    assert outcome.status == "fail"
    assert [mismatch.path for mismatch in outcome.mismatches] == ["output.loss"]
    assert outcome.causes == ("Forgets.count",)


def test_a_note_on_an_untrained_run_that_cannot_be_saved() -> None:
    class AfterTheFirst(Program):
        def save(self, path: Path) -> None:
            if not self.optimizer.state:
                raise RuntimeError("no momentum yet")
            super().save(path)

    outcomes = check_training_run(factory(AfterTheFirst))

    assert {outcome.status for outcome in outcomes} == {"pass"}
    assert outcomes["state_is_restored"].notes[0] == (
        "Not resumed from 0 steps, since an untrained run cannot be saved: "
        "save(path) after 0 steps raised RuntimeError: no momentum yet."
    )


class SavesItsLastLoss(Program):
    """Before its first step there is none, in a fresh run as in one that was just loaded."""

    last_loss: float

    def step(self, i: int) -> float:
        self.last_loss = super().step(i)
        return self.last_loss

    def state(self) -> dict[str, Any]:
        return {**super().state(), "last_loss": self.last_loss}


def test_a_run_that_is_saved_after_a_step_only_need_not_be_saved_right_after_loading() -> None:
    outcomes = check_training_run(factory(SavesItsLastLoss))

    assert not outcomes.failures
    assert outcomes["resume_is_exact"].status == "pass"
    assert outcomes["second_generation_equals_first"].status == "skipped"


def test_a_run_that_is_only_stopped_where_it_cannot_be_saved_fails() -> None:
    outcomes = check_training_run(factory(SavesItsLastLoss), at=[0], raise_on_failure=False)

    assert outcomes["state_is_restored"].status == "fail"
    assert outcomes["state_is_restored"].summary.startswith(
        "The run cannot be saved: save(path) after 0 steps raised AttributeError"
    )


def test_a_component_may_count_its_saves() -> None:
    def make_run() -> TrainingRun:
        program, counter = Program(), {"saves": 0}

        def save(path: Path) -> None:
            torch.save({**program.state(), "saves": counter["saves"]}, path)
            counter["saves"] += 1

        def load(path: Path) -> None:
            state = torch.load(path)
            program.restore(state)
            counter["saves"] = state["saves"]

        components = {"model": program.model, "optimizer": program.optimizer, "counter": counter}
        return TrainingRun(components=components, step=program.step, save=save, load=load)

    assert check_training_run(make_run, select=["side_effects"])["saving_changes_nothing"].status == "pass"


def test_keeping_the_last_files_only_is_no_failure() -> None:
    class KeepsTwo(Program):
        kept: list[Path]

        def save(self, path: Path) -> None:
            super().save(path)
            self.kept = [*getattr(self, "kept", []), path]
            while len(self.kept) > 2:
                self.kept.pop(0).unlink()

    outcomes = check_training_run(factory(KeepsTwo))

    assert outcomes["state_is_restored"].status == "pass"
    assert not outcomes.failures


@pytest.mark.parametrize(
    ("kinds", "status"), [((tuple, list), "pass"), ((int, float), "pass"), ((float, lambda x: x + 1), "fail")]
)
def test_a_container_or_a_number_of_another_type_is_no_loss(kinds: tuple[Any, Any], status: str) -> None:
    """As JSON brings them back."""
    make, convert = kinds

    class Note:
        def __init__(self) -> None:
            self.value = make() if make is tuple else make(3)

        def state_dict(self) -> dict[str, Any]:
            return {"value": self.value}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.value = convert(state["value"])

    def make_run() -> TrainingRun:
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        components = {"model": model, "optimizer": optimizer, "note": Note()}
        return TrainingRun(components=components, step=lambda i: fit(model, optimizer, batch(i)))

    outcomes = check_training_run(make_run, raise_on_failure=False)

    assert outcomes["state_is_restored"].status == status
    assert outcomes["resume_is_exact"].status == status


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps=0; it is the number of training steps, at least 1."),
        ({"steps": 2.5}, "steps=2.5; it is the number of training steps, at least 1."),
        (
            {"steps": 3, "at": [3]},
            "at=[3] with steps=3: the steps to save after and resume from lie between 0 and 2, "
            "so that at least one step is left to train.",
        ),
        (
            {"steps": 3, "at": []},
            "at=[] with steps=3: the steps to save after and resume from lie between 0 and 2, "
            "so that at least one step is left to train.",
        ),
    ],
)
def test_steps_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_training_run(factory(Program), **options)

    assert str(caught.value) == message
