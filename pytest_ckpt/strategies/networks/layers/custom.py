"""Modules as projects write them: parameters in lists and dicts, buffers, counters, extra state, versions."""

from __future__ import annotations

from pytest_ckpt.strategies.networks.calls import call
from pytest_ckpt.strategies.networks.drawing import FLOATS, Drawing, Drawn, Kind
from pytest_ckpt.strategies.networks.parts import Affine, Counted, Offsets, RunningCentre, Scales, Versioned, WarmedUp
from pytest_ckpt.strategies.networks.shapes import Shape

__all__ = ["KINDS"]


def _parameter_list(drawing: Drawing, shape: Shape) -> Drawn:
    return call(Scales, drawing.choose(1, 2, 3)), shape


def _parameter_dict(drawing: Drawing, shape: Shape) -> Drawn:
    return call(Affine, shape.sizes[-1]), shape


def _constant_buffer(drawing: Drawing, shape: Shape) -> Drawn:
    return call(Offsets, *shape.sizes), shape


def _running_buffer(drawing: Drawing, shape: Shape) -> Drawn:
    return call(RunningCentre, shape.sizes[-1]), shape


def _forgetful_buffer(drawing: Drawing, shape: Shape) -> Drawn:
    return call(RunningCentre, shape.sizes[-1], persistent=False), shape


def _counter_buffer(drawing: Drawing, shape: Shape) -> Drawn:
    return call(WarmedUp), shape


def _extra_state(drawing: Drawing, shape: Shape) -> Drawn:
    return call(Counted), shape


def _versioned(drawing: Drawing, shape: Shape) -> Drawn:
    return call(Versioned, shape.sizes[-1]), shape


KINDS = (
    Kind(name="parameter list", takes=FLOATS, draw=_parameter_list),
    Kind(name="parameter dict", takes=FLOATS, draw=_parameter_dict),
    Kind(name="constant buffer", takes=FLOATS, draw=_constant_buffer),
    Kind(name="running buffer", takes=FLOATS, draw=_running_buffer),
    Kind(name="counter buffer", takes=FLOATS, draw=_counter_buffer),
    Kind(name="extra state", takes=FLOATS, draw=_extra_state),
    Kind(name="versioned", takes=FLOATS, draw=_versioned),
    Kind(name="forgetful buffer", takes=FLOATS, draw=_forgetful_buffer, request="forgetful"),
)
