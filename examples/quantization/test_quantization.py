"""Packed weights, scales and observed ranges come back bit for bit, and so do the answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from pytest_ckpt import CheckpointFailure, TrainingRun, check_training_run, parametrize_with_checks

from .broken import calibrated_again, parameters_only, tensors_only
from .delivery import Delivery, DynamicDelivery, StaticDelivery
from .model import digits
from .training_run import make_bare_model, make_delivery, make_rounded_training


@parametrize_with_checks(partial(make_delivery, DynamicDelivery), select=["fidelity"])
def test_dynamic_quantization(check: Callable[[], Any]) -> None:
    check()


@parametrize_with_checks(partial(make_delivery, StaticDelivery), select=["fidelity"])
def test_static_quantization(check: Callable[[], Any]) -> None:
    check()


@parametrize_with_checks(make_rounded_training)
def test_training_with_rounding(check: Callable[[], Any]) -> None:
    check()


@pytest.mark.ckpt(formats=["torch", "torch-mmap", "torch-legacy", "pickle"])
def test_these_formats_keep_quantized_tensors(ckpt: Any, ckpt_format: str) -> None:
    ckpt.round_trip(make_bare_model, format=ckpt_format)


def test_safetensors_has_no_quantized_tensors() -> None:
    (outcome,) = check_training_run(make_bare_model, select=["state_is_restored"], formats=["safetensors"])

    assert outcome.status == "skipped"
    assert outcome.summary == "safetensors cannot keep the quantized tensor at model.conv.weight"


# Outside of a check, which ignores warnings, torch 2.13 says these of its own eager mode.
@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor, :UserWarning")
@pytest.mark.parametrize("kind", [DynamicDelivery, StaticDelivery])
def test_quantized_model_still_reads_digits(kind: type[Delivery]) -> None:
    images, labels = digits()

    assert (kind().model(images).argmax(dim=1) == labels).float().mean() > 0.5


@pytest.mark.parametrize(
    ("make_broken_run", "lost"),
    [
        (tensors_only, r"model\.head\._packed_params\._packed_params\[0\]: value differs"),
        (calibrated_again, r"model\.conv\.scale: value differs"),
        (parameters_only, r"model\.quant\.activation_post_process\.activation_post_process\.max_val"),
    ],
    ids=["tensors_only", "calibrated_again", "parameters_only"],
)
def test_what_is_lost_is_named(make_broken_run: Callable[[], TrainingRun], lost: str) -> None:
    with pytest.raises(CheckpointFailure, match=lost):
        check_training_run(make_broken_run)
