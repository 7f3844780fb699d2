"""Recurrent layers, attention and transformers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from pytest_ckpt.strategies.networks.calls import call
from pytest_ckpt.strategies.networks.drawing import HALF_SIZES, Drawing, Drawn, Kind, Variants
from pytest_ckpt.strategies.networks.parts import AttendToItself, OutputsOnly
from pytest_ckpt.strategies.networks.shapes import Sequence

__all__ = ["KINDS"]


_RECURRENT: Variants = ({}, {"num_layers": 2}, {"num_layers": 2, "dropout": 0.5}, {"bias": False})
_BOTH_WAYS: Variants = tuple({**options, "bidirectional": True} for options in _RECURRENT)
_ATTENTION: Variants = ({}, {"dropout": 0.5}, {"bias": False}, {"add_bias_kv": True})
_TRANSFORMER: Variants = ({"dropout": 0.0}, {}, {"norm_first": True}, {"activation": "gelu"})


def _recurrent(make: type[nn.RNNBase]) -> Callable[[Drawing, Sequence], Drawn]:
    def draw(drawing: Drawing, shape: Sequence) -> Drawn:
        size, options = drawing.choose(*HALF_SIZES), drawing.choose(*_RECURRENT)
        layer = call(make, shape.features, size, batch_first=True, **options)
        return call(OutputsOnly, layer), replace(shape, features=size)

    return draw


def _bidirectional(drawing: Drawing, shape: Sequence) -> Drawn:
    size, options, make = (
        drawing.choose(*HALF_SIZES),
        drawing.choose(*_BOTH_WAYS),
        drawing.choose(nn.RNN, nn.GRU, nn.LSTM),
    )
    layer = call(make, shape.features, size, batch_first=True, **options)
    return call(OutputsOnly, layer), replace(shape, features=2 * size)


def _attention(drawing: Drawing, shape: Sequence) -> Drawn:
    heads, options = drawing.choose(*_heads(shape)), drawing.choose(*_ATTENTION)
    return call(AttendToItself, call(nn.MultiheadAttention, shape.features, heads, batch_first=True, **options)), shape


def _transformer_layer(drawing: Drawing, shape: Sequence) -> Drawn:
    heads, wide, options = drawing.choose(*_heads(shape)), drawing.choose(*HALF_SIZES), drawing.choose(*_TRANSFORMER)
    layer = call(nn.TransformerEncoderLayer, shape.features, heads, dim_feedforward=wide, batch_first=True, **options)
    return layer, shape


def _heads(shape: Sequence) -> tuple[int, ...]:
    return (1, 2) if shape.features % 2 == 0 else (1,)


KINDS = (
    Kind(name="rnn", takes=(Sequence,), draw=_recurrent(nn.RNN)),
    Kind(name="gru", takes=(Sequence,), draw=_recurrent(nn.GRU)),
    Kind(name="lstm", takes=(Sequence,), draw=_recurrent(nn.LSTM)),
    Kind(name="bidirectional", takes=(Sequence,), draw=_bidirectional),
    Kind(name="attention", takes=(Sequence,), draw=_attention),
    Kind(name="transformer layer", takes=(Sequence,), draw=_transformer_layer),
)
