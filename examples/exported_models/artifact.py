"""What comes out of a file that holds a whole model: its weights, and what it answers without the model's code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A model that was read from a file.

    Attributes:
        state: Its weights, under the names that they have in the model.
        answer: The model as a function.
    """

    state: dict[str, Any]
    answer: Callable[[Tensor], Tensor]


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[nn.Module]:
    """Put a model in eval mode and back: what is exported has the mode built in."""
    training = model.training
    try:
        yield model.eval()
    finally:
        model.train(training)
