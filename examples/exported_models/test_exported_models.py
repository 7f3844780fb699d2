"""Each file holds the weights bit for bit, and answers as the model it was made from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import pytest

from pytest_ckpt import CheckpointFailure, TrainingRun, check_training_run

from . import exported, torchscript
from .broken import exported_in_train_mode, folded, scripted_in_train_mode
from .deployment import Deployment
from .model import batch_norm
from .training_run import make_deployment, make_model

needs_onnx = pytest.mark.skipif(
    find_spec("onnx") is None or find_spec("onnxscript") is None, reason="needs onnx: pip install onnx onnxscript"
)


@pytest.mark.ckpt(formats=["torchscript", "torch-export"])
def test_weights_come_back_out_of_the_file(ckpt: Any, ckpt_format: str) -> None:
    ckpt.round_trip(make_model, format=ckpt_format)


@pytest.mark.parametrize("module", [torchscript, exported], ids=["torchscript", "torch-export"])
def test_file_answers_as_the_model_does(module: Any) -> None:
    check_training_run(partial(make_deployment, module.save, module.load), select=["fidelity"])


@needs_onnx
def test_weights_come_back_out_of_an_onnx_file(ckpt: Any) -> None:
    ckpt.round_trip(make_model, format="onnx")


@needs_onnx
def test_onnx_file_answers_with_the_same_labels(ckpt: Any) -> None:
    from . import onnx_file

    ckpt.round_trip(partial(make_deployment, onnx_file.save, onnx_file.load, answer=Deployment.labels))


@needs_onnx
def test_onnx_refuses_what_its_graph_would_not_read() -> None:
    (outcome,) = check_training_run(partial(make_model, batch_norm), select=["state_is_restored"], formats=["onnx"])

    assert outcome.status == "skipped"
    assert outcome.summary == "onnx leaves out what the graph does not read: model.1.num_batches_tracked"


@pytest.mark.parametrize("make_broken_run", [scripted_in_train_mode, exported_in_train_mode], ids=["script", "export"])
def test_dropout_left_on_is_caught(make_broken_run: Callable[[], TrainingRun]) -> None:
    with pytest.raises(CheckpointFailure, match="The loaded run predicts something else"):
        check_training_run(make_broken_run, select=["outputs_are_restored"])


@needs_onnx
def test_weights_folded_into_others_are_caught() -> None:
    with pytest.raises(CheckpointFailure, match=r'Missing key\(s\) in state_dict: "1\.weight"'):
        check_training_run(folded, select=["state_is_restored"])
