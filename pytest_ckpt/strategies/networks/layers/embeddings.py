"""What takes tokens: embeddings, bags of them, and a tied language model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from pytest_ckpt.strategies.networks.calls import call
from pytest_ckpt.strategies.networks.drawing import SIZES, Drawing, Drawn, Kind
from pytest_ckpt.strategies.networks.parts import TiedTokens
from pytest_ckpt.strategies.networks.shapes import Sequence, Tokens, Vector

__all__ = ["KINDS"]


def _embedding(**always: Any) -> Callable[[Drawing, Tokens], Drawn]:
    def draw(drawing: Drawing, shape: Tokens) -> Drawn:
        size, options = drawing.choose(*SIZES), drawing.choose({}, {"padding_idx": 0})
        made = call(nn.Embedding, shape.features, size, **options, **always)
        return made, Sequence(batch=shape.batch, length=shape.length, features=size)

    return draw


def _bag(**always: Any) -> Callable[[Drawing, Tokens], Drawn]:
    def draw(drawing: Drawing, shape: Tokens) -> Drawn:
        size, mode = drawing.choose(*SIZES), drawing.choose("mean", "sum")
        made = call(nn.EmbeddingBag, shape.features, size, mode=mode, **always)
        return made, Vector(batch=shape.batch, features=size)

    return draw


def _tied_tokens(drawing: Drawing, shape: Tokens) -> Drawn:
    made = call(TiedTokens, shape.features, drawing.choose(*SIZES))
    return made, Sequence(batch=shape.batch, length=shape.length, features=shape.features)


KINDS = (
    Kind(name="embedding", takes=(Tokens,), draw=_embedding()),
    Kind(name="embedding bag", takes=(Tokens,), draw=_bag()),
    Kind(name="tied tokens", takes=(Tokens,), draw=_tied_tokens),
    Kind(name="sparse embedding", takes=(Tokens,), draw=_embedding(sparse=True), request="sparse"),
    Kind(name="sparse embedding bag", takes=(Tokens,), draw=_bag(sparse=True), request="sparse"),
)
