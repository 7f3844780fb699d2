"""Convolutions, also transposed, and pooling, over sequences and images."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from pytest_ckpt.strategies.networks.calls import call
from pytest_ckpt.strategies.networks.drawing import SIZES, Drawing, Drawn, Kind, Variants
from pytest_ckpt.strategies.networks.parts import ChannelsFirst, channels_last
from pytest_ckpt.strategies.networks.shapes import Image, Sequence

__all__ = ["KINDS"]

_MOST_STEPS = 4
"""Longer sequences and larger images are not made larger still."""


_KEEPING: Variants = (
    {"kernel_size": 1},
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "padding": "same", "bias": False},
    {"kernel_size": 3, "padding": 1, "padding_mode": "circular"},
)


def _conv_1d(drawing: Drawing, shape: Sequence) -> Drawn:
    size, options = drawing.choose(*SIZES), drawing.choose(*_KEEPING)
    layer = call(nn.Conv1d, shape.features, size, **options)
    return call(ChannelsFirst, layer), replace(shape, features=size)


def _conv_2d(drawing: Drawing, shape: Image) -> Drawn:
    size, options = drawing.choose(*SIZES), drawing.choose(*_KEEPING)
    return call(nn.Conv2d, shape.features, size, **options), replace(shape, features=size)


def _lazy_conv(drawing: Drawing, shape: Image) -> Drawn:
    size = drawing.choose(*SIZES)
    return call(nn.LazyConv2d, size, kernel_size=1), replace(shape, features=size)


def _channels_last(drawing: Drawing, shape: Image) -> Drawn:
    size = drawing.choose(*SIZES)
    layer = call(nn.Conv2d, shape.features, size, kernel_size=3, padding=1)
    return call(channels_last, layer), replace(shape, features=size)


def _transposed_1d(drawing: Drawing, shape: Sequence) -> Drawn:
    size, stride = drawing.choose(*SIZES), drawing.choose(*_strides(shape.length))
    layer = call(nn.ConvTranspose1d, shape.features, size, kernel_size=stride, stride=stride)
    return call(ChannelsFirst, layer), replace(shape, features=size, length=shape.length * stride)


def _transposed_2d(drawing: Drawing, shape: Image) -> Drawn:
    size, stride = drawing.choose(*SIZES), drawing.choose(*_strides(max(shape.height, shape.width)))
    grown = replace(shape, features=size, height=shape.height * stride, width=shape.width * stride)
    return call(nn.ConvTranspose2d, shape.features, size, kernel_size=stride, stride=stride), grown


def _strides(size: int) -> tuple[int, ...]:
    return (1, 2) if size <= _MOST_STEPS else (1,)


def _pool_1d(drawing: Drawing, shape: Sequence) -> Drawn:
    make = drawing.choose(nn.AvgPool1d, nn.MaxPool1d, nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d)
    if make in (nn.AvgPool1d, nn.MaxPool1d):
        return call(ChannelsFirst, call(make, 3, stride=1, padding=1)), shape
    return call(ChannelsFirst, call(make, 2)), replace(shape, length=2)


def _pool_2d(drawing: Drawing, shape: Image) -> Drawn:
    make = drawing.choose(nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
    if make in (nn.AvgPool2d, nn.MaxPool2d):
        return call(make, 3, stride=1, padding=1), shape
    return call(make, 2), replace(shape, height=2, width=2)


KINDS = (
    Kind(name="conv 1d", takes=(Sequence,), draw=_conv_1d),
    Kind(name="conv 2d", takes=(Image,), draw=_conv_2d),
    Kind(name="transposed conv 1d", takes=(Sequence,), draw=_transposed_1d),
    Kind(name="transposed conv 2d", takes=(Image,), draw=_transposed_2d),
    Kind(name="pool 1d", takes=(Sequence,), draw=_pool_1d),
    Kind(name="pool 2d", takes=(Image,), draw=_pool_2d),
    Kind(name="channels last", takes=(Image,), draw=_channels_last),
    Kind(name="lazy conv", takes=(Image,), draw=_lazy_conv, request="lazy"),
)
