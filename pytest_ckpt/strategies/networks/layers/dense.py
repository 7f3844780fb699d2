"""Fully connected layers: of torch, lazy, and with one weight for two."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from pytest_ckpt.strategies.networks.calls import call
from pytest_ckpt.strategies.networks.drawing import SIZES, Drawing, Drawn, Kind
from pytest_ckpt.strategies.networks.parts import TiedLayers
from pytest_ckpt.strategies.networks.shapes import Sequence, Vector

__all__ = ["KINDS"]


def _linear(drawing: Drawing, shape: Vector | Sequence) -> Drawn:
    size, options = drawing.choose(*SIZES), drawing.choose({}, {"bias": False})
    return call(nn.Linear, shape.features, size, **options), replace(shape, features=size)


def _lazy_linear(drawing: Drawing, shape: Vector | Sequence) -> Drawn:
    size = drawing.choose(*SIZES)
    return call(nn.LazyLinear, size), replace(shape, features=size)


def _tied_layers(drawing: Drawing, shape: Vector | Sequence) -> Drawn:
    return call(TiedLayers, shape.features), shape


KINDS = (
    Kind(name="linear", takes=(Vector, Sequence), draw=_linear),
    Kind(name="tied layers", takes=(Vector, Sequence), draw=_tied_layers),
    Kind(name="lazy linear", takes=(Vector, Sequence), draw=_lazy_linear, request="lazy"),
)
