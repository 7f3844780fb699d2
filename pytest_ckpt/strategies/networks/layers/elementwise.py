"""Layers that keep the shape: activations and dropout."""

from __future__ import annotations

from torch import nn

from pytest_ckpt.strategies.networks.calls import call
from pytest_ckpt.strategies.networks.drawing import FLOATS, Drawing, Drawn, Kind
from pytest_ckpt.strategies.networks.parts import ChannelsFirst
from pytest_ckpt.strategies.networks.shapes import Image, Sequence, Shape

__all__ = ["KINDS"]

_ACTIVATIONS = (nn.Tanh, nn.ReLU, nn.GELU, nn.SiLU, nn.ELU, nn.Sigmoid, nn.LeakyReLU, nn.Softplus, nn.Softmax)
_DROPOUTS = (nn.Dropout, nn.AlphaDropout, nn.FeatureAlphaDropout)
_PROBABILITIES = (0.5, 0.1)


def _identity(drawing: Drawing, shape: Shape) -> Drawn:
    return call(nn.Identity), shape


def _activation(drawing: Drawing, shape: Shape) -> Drawn:
    make = drawing.choose(*_ACTIVATIONS)
    return (call(make, -1) if make is nn.Softmax else call(make)), shape


def _random_slope(drawing: Drawing, shape: Shape) -> Drawn:
    return call(nn.RReLU), shape


def _prelu(drawing: Drawing, shape: Shape) -> Drawn:
    # One slope, or one for each feature: those are in the second dimension, which in a sequence is the length.
    return call(nn.PReLU, drawing.choose(1, shape.sizes[0])), shape


def _dropout(drawing: Drawing, shape: Shape) -> Drawn:
    make, probability = drawing.choose(*_DROPOUTS), drawing.choose(*_PROBABILITIES)
    return call(make, probability), shape


def _dropout_1d(drawing: Drawing, shape: Shape) -> Drawn:
    return call(ChannelsFirst, call(nn.Dropout1d, drawing.choose(*_PROBABILITIES))), shape


def _dropout_2d(drawing: Drawing, shape: Shape) -> Drawn:
    return call(nn.Dropout2d, drawing.choose(*_PROBABILITIES)), shape


def _dropout_3d(drawing: Drawing, shape: Shape) -> Drawn:
    # It takes the batch for the channels, and may drop whole examples.
    return call(nn.Dropout3d, drawing.choose(*_PROBABILITIES)), shape


KINDS = (
    Kind(name="identity", takes=FLOATS, draw=_identity),
    Kind(name="activation", takes=FLOATS, draw=_activation),
    Kind(name="random slope", takes=FLOATS, draw=_random_slope),
    Kind(name="prelu", takes=FLOATS, draw=_prelu),
    Kind(name="dropout", takes=FLOATS, draw=_dropout),
    Kind(name="dropout 1d", takes=(Sequence,), draw=_dropout_1d),
    Kind(name="dropout 2d", takes=(Image,), draw=_dropout_2d),
    Kind(name="dropout 3d", takes=(Image,), draw=_dropout_3d),
)
