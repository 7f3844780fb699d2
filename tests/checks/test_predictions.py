"""Predictions that come apart only after the first one: at the end of a resumed run, or by raising."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_program import Program, factory, report_of

from pytest_ckpt import check_training_run


class AveragesWeights(Program):
    """Predicts with an average of the weights; the count that weighs it is a plain attribute, and lost."""

    def __init__(self) -> None:
        super().__init__()
        self.average = torch.zeros(1, 2)
        self.averaged = 0

    def step(self, i: int) -> float:
        loss = super().step(i)
        self.averaged += 1
        self.average += (self.model.weight.detach() - self.average) / 2**self.averaged
        return loss

    def predict(self) -> torch.Tensor:
        return self.average.sum()

    def state(self) -> dict[str, Any]:
        return {**super().state(), "average": self.average}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.average = state["average"]


def test_a_prediction_that_differs_at_the_end() -> None:
    report = report_of(AveragesWeights, "outputs_are_restored")

    assert report == inspect.cleandoc("""
        Checkpoint checks of tiny: 1 fail.

        FAIL outputs_are_restored
        Saved after 2 steps, the resumed run trains as the run that never stopped, and predicts something else at \
the end.
        prediction: value differs
            uninterrupted: -1.40625
            resumed:       -2.625
        Differs after loading: AveragesWeights.averaged: saved 2, loaded 0
        Put AveragesWeights.averaged into the checkpoint and restore it in load.
        Or, if this is on purpose: expected_failures={"outputs_are_restored": "the reason"}.
    """)


class KeepsTheCount(AveragesWeights):
    def state(self) -> dict[str, Any]:
        return {**super().state(), "averaged": self.averaged}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.averaged = state["averaged"]


def test_a_prediction_that_is_the_same_at_the_end() -> None:
    assert check_training_run(factory(KeepsTheCount))["outputs_are_restored"].status == "pass"


class ForgetsTheOptimizer(AveragesWeights):
    def restore(self, state: dict[str, Any]) -> None:
        super().restore({**state, "optimizer": self.optimizer.state_dict()})


def test_where_training_parts_the_prediction_at_the_end_is_no_second_failure() -> None:
    outcomes = check_training_run(factory(ForgetsTheOptimizer), raise_on_failure=False)

    assert outcomes["resume_is_exact"].status == "fail"
    assert outcomes["outputs_are_restored"].status == "pass"


class LosesItsLabels(Program):
    labels: list[str] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.labels = ["cat", "dog"]

    def predict(self) -> Any:
        if self.labels is None:
            raise RuntimeError("no labels")
        return [self.labels[0], self.model(torch.ones(2))]

    def load(self, path: Path) -> None:
        super().load(path)
        self.labels = None


def test_a_prediction_that_only_the_loaded_run_cannot_make() -> None:
    outcome = check_training_run(factory(LosesItsLabels), raise_on_failure=False)["outputs_are_restored"]

    assert outcome.status == "fail"
    assert outcome.summary == (
        "The saved run predicts, the loaded one does not, saved after 5 steps: predict() after loading raised "
        "RuntimeError: no labels"
    )
    assert outcome.details[-1].endswith('in predict: raise RuntimeError("no labels")')


class NeedsACheckpoint(LosesItsLabels):
    """Predicts with what the first step or a checkpoint brings, so that a fresh run cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = None

    def step(self, i: int) -> float:
        self.labels = ["cat", "dog"]
        return super().step(i)

    def load(self, path: Path) -> None:
        super().load(path)
        self.labels = ["cat", "dog"]


def test_a_fresh_run_need_not_predict() -> None:
    assert check_training_run(factory(NeedsACheckpoint))["outputs_are_restored"].status == "pass"


class NeverPredicts(Program):
    def predict(self) -> torch.Tensor:
        raise RuntimeError("not fitted")


def test_a_run_that_cannot_predict_at_all_is_not_judged() -> None:
    outcome = check_training_run(factory(NeverPredicts))["outputs_are_restored"]

    assert outcome.status == "skipped"
    assert outcome.summary == "predict() raised RuntimeError: not fitted."


def test_an_error_of_many_lines_is_told_in_one() -> None:
    class NeverPredictsAtLength(Program):
        def predict(self) -> torch.Tensor:
            raise RuntimeError("not fitted.\nIt has to be fitted first.")

    outcome = check_training_run(factory(NeverPredictsAtLength))["outputs_are_restored"]

    assert outcome.summary == "predict() raised RuntimeError: not fitted."


@pytest.mark.parametrize("program", [KeepsTheCount, NeedsACheckpoint])
def test_predicting_on_the_way_changes_nothing_for_the_end(program: type[Program]) -> None:
    """Dropout would show it: what predict draws is put back before training goes on."""

    class Draws(program):  # type: ignore[misc, valid-type]
        def step(self, i: int) -> Any:
            return [super().step(i), torch.rand(1).item()]

        def state(self) -> dict[str, Any]:
            return {**super().state(), "random": torch.get_rng_state()}

        def restore(self, state: dict[str, Any]) -> None:
            super().restore(state)
            torch.set_rng_state(state["random"])

    assert check_training_run(factory(Draws))["outputs_are_restored"].status == "pass"
