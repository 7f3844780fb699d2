"""torch.export: weights, buffers and the graph of one call, for any number of images."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from .artifact import Artifact, eval_mode

EXAMPLES = torch.zeros(2, 1, 8, 8)  # the graph is that of a call with these
ANY_NUMBER = ({0: torch.export.Dim.DYNAMIC},)


def export(model: nn.Module, examples: Tensor = EXAMPLES) -> torch.export.ExportedProgram:
    with eval_mode(model):
        return torch.export.export(model, (examples,), dynamic_shapes=ANY_NUMBER)


def save(model: nn.Module, path: Path) -> None:
    with path.open("wb") as file:  # given a name, torch wants it to end in .pt2
        torch.export.save(export(model), file)


def load(path: Path) -> Artifact:
    with path.open("rb") as file:
        program = torch.export.load(file)
    return Artifact(state=program.state_dict, answer=program.module())
