"""Layers within layers: residual, in lists, dicts and rows, frozen, and in another dtype."""

from __future__ import annotations

import torch
from torch import nn

from pytest_ckpt.strategies.networks.calls import call
from pytest_ckpt.strategies.networks.drawing import FLOATS, Drawing, Drawn, Kind
from pytest_ckpt.strategies.networks.parts import Branches, InDtype, Residual, Stack, frozen
from pytest_ckpt.strategies.networks.shapes import Shape

__all__ = ["KINDS"]


def _sequential(drawing: Drawing, shape: Shape) -> Drawn:
    first, between = drawing.inside(shape)
    second, gives = drawing.inside(between)
    return call(nn.Sequential, first, second), gives


def _residual(drawing: Drawing, shape: Shape) -> Drawn:
    body, _ = drawing.inside(shape, gives=shape)
    return call(Residual, body), shape


def _module_list(drawing: Drawing, shape: Shape) -> Drawn:
    first, between = drawing.inside(shape)
    second, gives = drawing.inside(between)
    return call(Stack, first, second), gives


def _module_dict(drawing: Drawing, shape: Shape) -> Drawn:
    left, gives = drawing.inside(shape)
    right, _ = drawing.inside(shape, gives=gives)
    return call(Branches, left=left, right=right), gives


def _frozen(drawing: Drawing, shape: Shape) -> Drawn:
    body, gives = drawing.inside(shape)
    return call(frozen, body), gives


def _mixed_dtype(drawing: Drawing, shape: Shape) -> Drawn:
    # One layer that each dtype has on the CPU, and not what is inside of others: that may insist on its own dtype.
    size = shape.sizes[-1]
    layers = (call(nn.Linear, size, size), call(nn.LayerNorm, size), call(nn.PReLU))
    layer, dtype = drawing.choose(*layers), drawing.choose(torch.float64, torch.bfloat16)
    return call(InDtype, layer, dtype), shape


KINDS = (
    Kind(name="mixed dtype", takes=FLOATS, draw=_mixed_dtype),
    Kind(name="sequential", takes=FLOATS, draw=_sequential, nests=True),
    Kind(name="residual", takes=FLOATS, draw=_residual, nests=True),
    Kind(name="module list", takes=FLOATS, draw=_module_list, nests=True),
    Kind(name="module dict", takes=FLOATS, draw=_module_dict, nests=True),
    Kind(name="frozen", takes=FLOATS, draw=_frozen, nests=True),
)
