"""Three exports of another model than the one that was trained, one function each."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import nn

from pytest_ckpt import TrainingRun

from . import exported, torchscript
from .exported import ANY_NUMBER, EXAMPLES
from .model import batch_norm
from .training_run import make_deployment


def script_in_train_mode(model: nn.Module, path: Path) -> None:
    """Forget ``eval()``: dropout goes on in the file."""
    torch.jit.save(torch.jit.script(model), path)


def export_in_train_mode(model: nn.Module, path: Path) -> None:
    """Forget ``eval()``: dropout is part of the graph, and nothing can switch it off any more."""
    program = torch.export.export(model, (EXAMPLES,), dynamic_shapes=ANY_NUMBER)
    with path.open("wb") as file:
        torch.export.save(program, file)


scripted_in_train_mode = partial(make_deployment, script_in_train_mode, torchscript.load)
exported_in_train_mode = partial(make_deployment, export_in_train_mode, exported.load)


def folded() -> TrainingRun:
    """Let the exporter fold the batch norm into the convolution before it, whose weights are others then."""
    from . import onnx_file  # the other two need no onnx

    def optimize_the_graph(model: nn.Module, path: Path) -> None:
        onnx_file.program_of(model, optimize=True).save(path)

    return make_deployment(optimize_the_graph, onnx_file.load, batch_norm)
