"""Normalization: batch, layer, group, instance and root mean square."""

from __future__ import annotations

from torch import nn

from pytest_ckpt.strategies.networks.calls import Call, call
from pytest_ckpt.strategies.networks.drawing import FLOATS, Drawing, Drawn, Kind, Variants
from pytest_ckpt.strategies.networks.parts import ChannelsFirst
from pytest_ckpt.strategies.networks.shapes import Image, Sequence, Shape

__all__ = ["KINDS"]


_BATCH: Variants = ({}, {"momentum": None}, {"affine": False}, {"track_running_stats": False})
_INSTANCE: Variants = ({"affine": True}, {"track_running_stats": True}, {})
_LAYER: Variants = ({}, {"bias": False}, {"elementwise_affine": False})
_RMS: Variants = ({}, {"eps": 1e-5})


def _batch_norm(drawing: Drawing, shape: Shape) -> Drawn:
    make = nn.BatchNorm2d if isinstance(shape, Image) else nn.BatchNorm1d
    return _second(shape, call(make, shape.features, **drawing.choose(*_BATCH))), shape


def _lazy_batch_norm(drawing: Drawing, shape: Shape) -> Drawn:
    return _second(shape, call(nn.LazyBatchNorm2d if isinstance(shape, Image) else nn.LazyBatchNorm1d)), shape


def _instance_norm(drawing: Drawing, shape: Shape) -> Drawn:
    make = nn.InstanceNorm2d if isinstance(shape, Image) else nn.InstanceNorm1d
    return _second(shape, call(make, shape.features, **drawing.choose(*_INSTANCE))), shape


def _group_norm(drawing: Drawing, shape: Shape) -> Drawn:
    groups = drawing.choose(1, 2) if shape.features % 2 == 0 else 1
    return _second(shape, call(nn.GroupNorm, groups, shape.features)), shape


def _layer_norm(drawing: Drawing, shape: Shape) -> Drawn:
    sizes, options = drawing.choose(shape.sizes[-1], shape.sizes), drawing.choose(*_LAYER)
    return call(nn.LayerNorm, sizes, **options), shape


def _rms_norm(drawing: Drawing, shape: Shape) -> Drawn:
    sizes, options = drawing.choose(shape.sizes[-1], shape.sizes), drawing.choose(*_RMS)
    return call(nn.RMSNorm, sizes, **options), shape


def _second(shape: Shape, layer: Call) -> Call:
    return call(ChannelsFirst, layer) if isinstance(shape, Sequence) else layer


KINDS = (
    Kind(name="batch norm", takes=FLOATS, draw=_batch_norm),
    Kind(name="layer norm", takes=FLOATS, draw=_layer_norm),
    Kind(name="group norm", takes=FLOATS, draw=_group_norm),
    Kind(name="rms norm", takes=FLOATS, draw=_rms_norm),
    Kind(name="instance norm", takes=(Sequence, Image), draw=_instance_norm),
    Kind(name="lazy batch norm", takes=FLOATS, draw=_lazy_batch_norm, request="lazy"),
)
