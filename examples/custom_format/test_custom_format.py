"""The project's format passes every check, refuses with a reason, and its earlier versions do not pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pytest_ckpt import CheckpointFailure, check_training_run, parametrize_with_checks

from .npz import load, save
from .train import make_run


@parametrize_with_checks(make_run, formats=["npz"])
def test_format_passes_every_check(check: Callable[[], Any]) -> None:
    check()


@pytest.mark.ckpt(formats=["npz", "torch"])
def test_resume(ckpt: Any, ckpt_format: str) -> None:
    ckpt.resume(make_run, at=[1, 3], steps=4, format=ckpt_format)


def test_what_numpy_does_not_know_is_refused_with_a_reason() -> None:
    (outcome,) = check_training_run(
        lambda: nn.Linear(2, 2, dtype=torch.bfloat16), select=["state_is_restored"], formats=["npz"]
    )

    assert outcome.status == "skipped"
    assert outcome.summary == "npz cannot write torch.bfloat16 at model/weight, which numpy does not know"


def test_file_is_read_without_torch(tmp_path: Path) -> None:
    save({"model": {"weight": torch.arange(3.0)}}, tmp_path / "model.npz")

    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        assert file["model/weight"].tolist() == [0, 1, 2]


def test_versions_of_modules_are_kept(tmp_path: Path) -> None:
    state = nn.BatchNorm1d(4).state_dict()

    save({"model": state}, tmp_path / "model.npz")

    assert load(tmp_path / "model.npz")["model"]._metadata == state._metadata  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("npz-single", r"model\.0\.running_mean: value differs"),
        ("npz-json-keys", r"optimizer\.state\[0\.weight\]"),
        ("npz-vectors", r"optimizer\.state\[0\.weight\]\.step: shape differs"),
    ],
)
def test_earlier_version_is_caught(name: str, lost: str) -> None:
    with pytest.raises(CheckpointFailure, match=lost):
        check_training_run(make_run, formats=[name])
