"""The table of what a resumed run needs, row by row, and the notes that come of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_program import Program, factory

from pytest_ckpt import Outcome, TrainingRun, check_training_run

KEPT = "kept_weights_are_copies"


class Recorder:
    """A component of one value; a subclass says what it is good for."""

    def __init__(self) -> None:
        self.value = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value = state["value"]


class Strict(Recorder):
    """Cannot be reset."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if not state["value"]:
            raise ValueError("never without a value")
        super().load_state_dict(state)


def run_with(**parts: Recorder) -> TrainingRun:
    """A run in which each part follows the training: ``total`` adds up, ``last`` is set anew, ``constant`` stays."""
    program = Program()

    def step(i: int) -> float:
        loss = program.step(i)
        for name, part in parts.items():
            if name != "constant":
                part.value = i + 1.0 if name.startswith("last") else part.value + 1.0
        return loss

    class Count:
        def state_dict(self) -> dict[str, int]:
            return {"count": program.count}

        def load_state_dict(self, state: dict[str, int]) -> None:
            program.count = state["count"]

    components = {"model": program.model, "optimizer": program.optimizer, "count": Count(), **parts}
    return TrainingRun(components=components, step=step, name="tiny")


def outcome_of(check: str, *kinds: str, kind: type[Recorder] = Recorder, **options: Any) -> Outcome:
    def make_run() -> TrainingRun:
        return run_with(**{name: kind() for name in kinds})

    options = {"steps": 3, "raise_on_failure": False} | options
    return check_training_run(make_run, select=[check], **options)[check]


HEAD = [
    "    component  restored  a resumed run without it",
    "    model      yes       parts at step(1)",
    "    optimizer  yes       parts at step(2)",
    "    count      yes       parts at step(1)",
]


def test_a_component_that_is_kept_for_its_own_sake_is_needed() -> None:
    outcome = outcome_of("every_component_is_needed", "total")

    assert outcome.status == "pass"
    assert list(outcome.details) == [*HEAD, "    total      yes       is the same but for total"]


def test_a_component_that_nothing_came_back_in_is_not_idle() -> None:
    outcome = outcome_of("every_component_is_needed", "constant")

    assert outcome.status == "pass"
    assert list(outcome.details) == [*HEAD, "    constant   nothing   is the same"]


def test_a_component_that_cannot_be_reset_says_so() -> None:
    outcome = outcome_of("every_component_is_needed", "last", kind=Strict, at=[1])

    assert outcome.status == "pass"
    assert list(outcome.details) == [*HEAD, "    last       yes       could not be tried"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["last_a"], "last_a"),
        (["last_a", "last_b"], "last_a and last_b"),
        (["last_a", "last_b", "last_c"], "last_a, last_b and last_c"),
    ],
)
def test_several_that_nothing_needs_are_listed(names: list[str], words: str) -> None:
    outcome = outcome_of("every_component_is_needed", *names)

    assert outcome.status == "fail"
    assert outcome.summary == f"Saved after 1 step, the 2 steps to the end are the same without {words}."
    assert list(outcome.causes) == names


def test_a_component_that_only_the_end_state_needs() -> None:
    """The loss of a step is that of the state before it, so the last step shows in the state alone."""

    def make_run() -> TrainingRun:
        model = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(model.weight)
        rate = Recorder()

        def step(i: int) -> float:
            loss = float(model.weight.sum())
            rate.value += 1
            with torch.no_grad():
                model.weight += rate.value
            return loss

        return TrainingRun(components={"model": model, "rate": rate}, step=step)

    outcome = check_training_run(make_run, select=["economy"], steps=3, at=[2])["every_component_is_needed"]

    assert [line.split()[0] for line in outcome.details] == ["component", "model", "rate"]
    assert outcome.details[2] == "    rate       yes       ends in another state"


def test_without_a_step_nothing_is_taken_away() -> None:
    outcome = check_training_run(lambda: torch.nn.Linear(1, 1), select=["economy"])["every_component_is_needed"]

    assert (outcome.status, outcome.summary) == ("skipped", "The run has no step=, so it cannot train on.")


class CannotBeSaved(Program):
    def state(self) -> dict[str, Any]:
        raise OSError("disk full")


@pytest.mark.parametrize("check", ["every_component_is_needed", "kept_weights_are_copies"])
def test_a_run_that_cannot_be_saved_is_not_judged(check: str) -> None:
    outcome = check_training_run(factory(CannotBeSaved), select=[check], steps=2, at=[1])[check]

    assert outcome.status == "skipped"
    assert outcome.summary == "save(path) after 1 step raised OSError: disk full."


class ForgetsMuch(Program):
    """Eight logs that no checkpoint holds."""

    def __init__(self) -> None:
        super().__init__()
        self.logs = [Log() for _ in range(8)]

    def step(self, i: int) -> float:
        for log in self.logs:
            log.lines.append(i)
        return super().step(i)


class Log:
    def __init__(self) -> None:
        self.lines: list[int] = []


def test_a_long_list_is_cut_short_and_says_so() -> None:
    outcome = check_training_run(factory(ForgetsMuch), select=["resume_is_exact"], steps=3)["resume_is_exact"]

    shown = ", ".join(f"ForgetsMuch.logs[{i}].lines" for i in range(6))
    assert outcome.notes == (
        f"Not restored, and the 2 steps after a resume at step 1 are the same: {shown} and 2 more.",
    )


def test_state_that_a_checkpoint_holds_is_not_listed() -> None:
    assert check_training_run(factory(Program), select=["resume_is_exact"])["resume_is_exact"].notes == ()


def test_an_order_of_calls_that_raises_costs_the_notes_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*anything: object) -> None:
        raise RuntimeError("not in this order")

    monkeypatch.setattr("pytest_ckpt.checks.evidence.find_needs", refuse)
    outcomes = check_training_run(factory(Program), select=["resume_is_exact", KEPT, "economy"], steps=3)

    assert (outcomes["resume_is_exact"].status, outcomes["resume_is_exact"].notes) == ("pass", ())
    for check in (KEPT, "every_component_is_needed"):
        assert outcomes[check].status == "skipped"
        assert outcomes[check].summary == "The run cannot be taken apart: RuntimeError: not in this order."
