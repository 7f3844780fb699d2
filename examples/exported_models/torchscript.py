"""TorchScript: weights, buffers and the compiled code of ``forward``."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from .artifact import Artifact, eval_mode


def save(model: nn.Module, path: Path) -> None:
    with eval_mode(model):
        torch.jit.save(torch.jit.script(model), path)


def load(path: Path) -> Artifact:
    script = torch.jit.load(path)
    return Artifact(state=script.state_dict(), answer=script)
