"""Which differences are losses, and how steps and differences are spelled."""

from __future__ import annotations

import pytest

from pytest_ckpt.checks.judging import in_line, in_words
from pytest_ckpt.checks.losses import concerns_schedule, hard, is_hard
from pytest_ckpt.comparison import Kind, Mismatch


def mismatch(path: str, kind: Kind = "value", expected: str = "1", actual: str = "2", detail: str = "") -> Mismatch:
    return Mismatch(path=path, kind=kind, expected=expected, actual=actual, detail=detail)


@pytest.mark.parametrize("path", ["model.weight", "scheduler.last_epoch", "scheduler.verbose_name", "_step_count"])
def test_another_value_is_a_loss(path: str) -> None:
    assert is_hard(mismatch(path))


@pytest.mark.parametrize("kind", ["container type", "number type"])
def test_what_json_makes_of_a_value_is_none(kind: Kind) -> None:
    assert not is_hard(mismatch("optimizer.lr", kind))


@pytest.mark.parametrize("name", ["_step_count", "_get_lr_called_within_step", "_is_initial", "verbose"])
def test_what_schedulers_count_for_a_warning_is_none(name: str) -> None:
    assert not is_hard(mismatch(f"scheduler.{name}"))


def test_losses_are_picked_out() -> None:
    loss, bookkeeping = mismatch("model.weight"), mismatch("scheduler._step_count")

    assert hard([bookkeeping, loss]) == (loss,)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("lr.optimizer[0]", True),
        ("optimizer.param_groups[0].lr", True),
        ("optimizer.param_groups[0].initial_lr", True),
        ("scheduler.last_epoch", True),
        ("optimizer.param_groups[0].momentum", True),
        ("optimizer.param_groups[0].betas[0]", True),
        ("optimizer.param_groups[0].betas[1]", False),
        ("model.lr.weight", False),
    ],
)
def test_what_a_learning_rate_is_computed_from(path: str, expected: bool) -> None:
    assert concerns_schedule([mismatch("model.weight"), mismatch(path)]) is expected
    assert not concerns_schedule([])


@pytest.mark.parametrize(
    ("steps", "words"), [([0], "0 steps"), ([1], "1 step"), ([3, 4], "3 and 4 steps"), ([1, 2, 5], "1, 2 and 5 steps")]
)
def test_numbers_of_steps_in_words(steps: list[int], words: str) -> None:
    assert in_words(steps) == words


def test_a_difference_in_a_line() -> None:
    assert in_line(mismatch("a.b")) == "a.b: saved 1, loaded 2"
    assert in_line(mismatch("a.b", detail="rounded")) == "a.b: saved 1, loaded 2"
    assert in_line(mismatch("a.b", actual="1", detail="1 of 3 elements differ")) == "a.b: 1 of 3 elements differ"
    assert in_line(mismatch("a.b", actual="1")) == "a.b: saved 1, loaded 1"
