"""From one kind of data to another."""

from __future__ import annotations

from pytest_ckpt.strategies.networks.calls import in_a_row
from pytest_ckpt.strategies.networks.drawing import HALF_SIZES, SIZES, Drawing, Drawn, Kind, fitting
from pytest_ckpt.strategies.networks.shapes import Image, Sequence, Shape, Vector

__all__ = ["KINDS"]

_SIDES = (2, 3)


def _to_vector(drawing: Drawing, shape: Shape) -> Drawn:
    return _reshaped(shape, Vector(batch=shape.batch, features=drawing.choose(*SIZES)))


def _to_sequence(drawing: Drawing, shape: Shape) -> Drawn:
    length, features = drawing.choose(*HALF_SIZES), drawing.choose(*HALF_SIZES)
    return _reshaped(shape, Sequence(batch=shape.batch, length=length, features=features))


def _to_image(drawing: Drawing, shape: Shape) -> Drawn:
    features, height, width = drawing.choose(*_SIDES), drawing.choose(*_SIDES), drawing.choose(*_SIDES)
    return _reshaped(shape, Image(batch=shape.batch, features=features, height=height, width=width))


def _reshaped(shape: Shape, gives: Shape) -> Drawn:
    return in_a_row(fitting(shape, gives)), gives


KINDS = (
    Kind(name="to vector", takes=(Sequence, Image), draw=_to_vector),
    Kind(name="to sequence", takes=(Vector, Image), draw=_to_sequence),
    Kind(name="to image", takes=(Vector, Sequence), draw=_to_image),
)
