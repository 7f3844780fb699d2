"""Weights that are computed from other parameters: torch's parametrizations, and the hooks before them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn
from torch.nn.utils import parametrizations

from pytest_ckpt.strategies.networks.calls import call
from pytest_ckpt.strategies.networks.drawing import SIZES, Drawing, Drawn, Kind
from pytest_ckpt.strategies.networks.parts import OLD_STYLE
from pytest_ckpt.strategies.networks.shapes import Image, Sequence, Vector

__all__ = ["KINDS"]


def _around_a_weight(make: Callable[..., Any]) -> Callable[[Drawing, Vector | Sequence | Image], Drawn]:
    def draw(drawing: Drawing, shape: Vector | Sequence | Image) -> Drawn:
        size = drawing.choose(*SIZES)
        kernel = (1,) if isinstance(shape, Image) else ()
        layer = call(nn.Conv2d if kernel else nn.Linear, shape.features, size, *kernel)
        return call(make, layer), replace(shape, features=size)

    return draw


_NAMES: dict[str, Callable[..., Any]] = {
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    **{make.__name__.replace("_", " "): make for make in OLD_STYLE},
}

# The orthogonal matrices are those of the last two dimensions, which in a convolution are the kernel.
KINDS = tuple(
    Kind(
        name=name,
        takes=(Vector, Sequence) if name == "orthogonal" else (Vector, Sequence, Image),
        draw=_around_a_weight(make),
        picklable=name.startswith("old"),
    )
    for name, make in _NAMES.items()
)
