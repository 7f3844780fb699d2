"""What was rounded on its way is told from what has become something else."""

from __future__ import annotations

import pytest
import torch

from pytest_ckpt import compare
from pytest_ckpt.comparison.rounding import rounded_to

VALUES = torch.tensor([0.1, 1.7, -3.3])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_cast_to_a_narrower_type_and_back(dtype: torch.dtype) -> None:
    assert rounded_to(VALUES, VALUES.to(dtype).float()) == str(dtype).removeprefix("torch.")


def test_doubles_that_went_through_floats() -> None:
    values = VALUES.double() / 3

    assert rounded_to(values, values.float().double()) == "float32"
    assert rounded_to(values, values.bfloat16().double()) == "bfloat16"


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (VALUES, VALUES + 1),
        (VALUES, torch.zeros(3)),  # lost, not rounded
        (torch.tensor([0.0, 1.0]), torch.tensor([-0.0, 1.0])),
        (VALUES, VALUES.half()),  # another dtype says so itself
        (VALUES.bfloat16(), VALUES.half().bfloat16() + 1),
        (torch.tensor([1, 2]), torch.tensor([1, 3])),
        (torch.tensor([float("nan"), 0.1]), torch.tensor([float("nan"), 0.2])),
    ],
)
def test_other_differences_are_no_rounding(expected: torch.Tensor, actual: torch.Tensor) -> None:
    assert rounded_to(expected, actual) == ""


def test_a_mismatch_says_that_values_were_rounded() -> None:
    state, loaded = {"w": VALUES, "mean": 0.1}, {"w": VALUES.half().float(), "mean": float(torch.tensor(0.1))}

    weight, mean = compare(state, loaded)

    assert weight.detail.endswith("; rounded to float16")
    assert mean.detail == "rounded to float32"
