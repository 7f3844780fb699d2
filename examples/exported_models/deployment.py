"""A model and the file that it is delivered as: once loaded, it is the file that answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor, nn

from .artifact import Artifact
from .model import digits


class Deployment:
    """Writes its model with ``save_model``; what ``load_artifact`` reads then stands in for the model."""

    def __init__(
        self,
        model: nn.Module,
        save_model: Callable[[nn.Module, Path], None],
        load_artifact: Callable[[Path], Artifact],
    ) -> None:
        self.model = model
        self.save_model = save_model
        self.load_artifact = load_artifact
        self.answer: Callable[[Tensor], Tensor] = model

    def save(self, path: Path) -> None:
        self.save_model(self.model, path)

    def load(self, path: Path) -> None:
        artifact = self.load_artifact(path)
        self.model.load_state_dict(artifact.state)
        self.answer = artifact.answer

    def logits(self) -> Tensor:
        return self.answer(digits()[0][:64])

    def labels(self) -> Tensor:
        return self.logits().argmax(dim=1)
