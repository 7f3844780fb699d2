"""ONNX: the graph and the tensors it reads. Other runtimes add in another order, so only labels stay the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
from onnx.numpy_helper import to_array
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from .artifact import Artifact
from .exported import export


def program_of(model: nn.Module, *, optimize: bool = False) -> Any:
    """Translate a model. The optimizer of graphs would fold layers into one another, and their weights with them."""
    return torch.onnx.export(export(model), optimize=optimize, verbose=False)


def save(model: nn.Module, path: Path) -> None:
    program_of(model).save(path)


def load(path: Path) -> Artifact:
    file = onnx.load(path)
    evaluator = ReferenceEvaluator(file)
    (images,) = evaluator.input_names

    def answer(batch: Tensor) -> Tensor:
        (logits,) = evaluator.run(None, {images: batch.numpy()})
        return torch.from_numpy(logits)

    state = {item.name: torch.from_numpy(to_array(item).copy()) for item in file.graph.initializer}
    return Artifact(state=state, answer=answer)


def left_out(model: nn.Module) -> list[str]:
    """Name what a model's file would not hold: what the graph does not read, such as a counter of batches."""
    return sorted(model.state_dict().keys() - program_of(model).model.graph.initializers.keys())
