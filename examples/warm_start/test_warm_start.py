"""First the warm start, which is no resume: part of it is new on purpose. Then the resume, where all must come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_ckpt import CheckpointFailure, check_training_run

from .broken import ColdStart, cold_start, frozen_for_good, warmed_twice
from .pretraining import pretrain
from .train import Classifier, FineTuning, warm_start
from .training_run import PRETRAINED, make_run


def expected_backbone() -> dict[str, Any]:
    """What the backbone must be, under its new names, without a look at the code that renames."""
    saved = [value for key, value in torch.load(PRETRAINED)["state_dict"].items() if key.startswith("encoder.")]
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return dict(zip(["0.weight", "0.bias", *(f"1.{name}" for name in norm)], saved, strict=True))


def test_backbone_is_the_pretrained_one(ckpt: Any) -> None:
    model = FineTuning(PRETRAINED).model

    ckpt.compare(expected_backbone(), model.backbone.state_dict())


def test_cold_start_is_caught(ckpt: Any) -> None:
    model = ColdStart(PRETRAINED).model

    with pytest.raises(CheckpointFailure, match=r"(?s)not the saved one, in 7 places.*1\.running_mean: value differs"):
        ckpt.compare(expected_backbone(), model.backbone.state_dict())


def test_no_resume_shows_a_cold_start() -> None:
    """It is exact, of a run that never was warm: that is why the test above is there."""
    assert not check_training_run(cold_start).failures


def test_half_a_backbone_is_refused(tmp_path: Path) -> None:
    pretrain(tmp_path / "whole.pt", steps=1)
    checkpoint = torch.load(tmp_path / "whole.pt")
    del checkpoint["state_dict"]["encoder.conv.bias"]
    torch.save(checkpoint, tmp_path / "half.pt")

    with pytest.raises(RuntimeError, match=r"half\.pt is not the backbone of this model: backbone\.0\.bias$"):
        warm_start(Classifier(), tmp_path / "half.pt")


@pytest.mark.ckpt(steps=7)
def test_fine_tuning_resumes_before_and_after_the_backbone_thaws(ckpt: Any) -> None:
    ckpt.resume(make_run, at=[2, 3, 4, 6])


def test_fine_tuning_passes_every_check(ckpt: Any) -> None:
    ckpt.check(make_run)


def test_second_warm_start_on_top_of_a_checkpoint_is_caught(ckpt: Any) -> None:
    with pytest.raises(CheckpointFailure, match=r"model\.backbone\.0\.weight: value differs"):
        ckpt.round_trip(warmed_twice, steps=5)


def test_backbone_that_stays_frozen_is_caught(ckpt: Any) -> None:
    with pytest.raises(CheckpointFailure, match=r"model\.backbone\.0\.weight\.requires_grad: value differs"):
        ckpt.round_trip(frozen_for_good, steps=5)


@pytest.mark.parametrize("broken", [warmed_twice, frozen_for_good], ids=["warmed twice", "frozen for good"])
def test_neither_shows_before_the_backbone_thaws(broken: Any, ckpt: Any) -> None:
    """So a test that saves after a step or two sees nothing: choose steps that cross what happens once."""
    ckpt.round_trip(broken, steps=2)
