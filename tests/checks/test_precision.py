"""State that loses bits on its way is found, and the report says what rounded it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pytest_ckpt import Outcome, TrainingRun, check_training_run


class FloatMoments(torch.optim.Optimizer):
    """Momentum in float32, whatever the parameters are."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state.setdefault("average", torch.zeros_like(parameter, dtype=torch.float32))
                state["average"].mul_(0.9).add_(parameter.grad.float(), alpha=0.1)
                parameter.sub_((group["lr"] * state["average"]).to(parameter.dtype))


class Program:
    """A model in bfloat16, an average in double precision."""

    def __init__(self) -> None:
        self.model = torch.nn.Linear(4, 2).bfloat16()
        self.optimizer = FloatMoments(self.model.parameters())
        self.average = 0.0

    def step(self, i: int) -> float:
        inputs = torch.linspace(-1, 1, 8).reshape(2, 4).roll(i, 1).bfloat16()
        loss: torch.Tensor = self.model(inputs).float().pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.average = 0.9 * self.average + 0.1 * loss.item()
        return loss.item() + self.average

    def save(self, path: Path) -> None:
        torch.save([self.model.state_dict(), self.optimizer.state_dict(), self.average], path)

    def load(self, path: Path) -> None:
        model, optimizer, self.average = torch.load(path)
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)
        self.restore_moments(optimizer)

    def restore_moments(self, saved: Any) -> None:
        for parameter, state in zip(self.model.parameters(), saved["state"].values(), strict=False):
            self.optimizer.state[parameter]["average"] = state["average"].clone()


class CastsMoments(Program):
    def restore_moments(self, saved: Any) -> None:
        """Trust load_state_dict()."""


class AverageInAFloat(Program):
    def save(self, path: Path) -> None:
        super().save(path)
        torch.save([*torch.load(path)[:2], torch.tensor(self.average).item()], path)


def outcome_of(program: Callable[[], Program], check: str) -> Outcome:
    def make_run() -> TrainingRun:
        made = program()
        components = {"model": made.model, "optimizer": made.optimizer}
        return TrainingRun(components=components, step=made.step, save=made.save, load=made.load)

    return check_training_run(make_run, select=[check], raise_on_failure=False)[check]


def test_moments_that_are_put_back_as_they_were_pass() -> None:
    assert outcome_of(Program, "state_is_restored").status == "pass"
    assert outcome_of(Program, "resume_is_exact").status == "pass"


def test_moments_that_load_state_dict_casts() -> None:
    outcome = outcome_of(CastsMoments, "state_is_restored")

    first = outcome.mismatches[0]
    assert (first.path, first.kind) == ("optimizer.state[weight].average", "dtype")
    assert (first.expected, first.actual) == ("float32 (2, 4)", "bfloat16 (2, 4)")
    assert outcome.advice == (
        "optimizer.load_state_dict() casts floating-point state to the dtype of its parameter: copy it back as "
        "float32 afterwards (torch.optim.Optimizer.load_state_dict)."
    )


def test_a_number_that_went_through_a_float() -> None:
    outcome = outcome_of(AverageInAFloat, "resume_is_exact")

    assert outcome.status == "fail"
    assert outcome.causes == ("AverageInAFloat.average",)
    assert outcome.advice == "AverageInAFloat.average was rounded to float32: write it as it is."
