"""Drawing layer after layer: each kind of layer takes a shape and gives a call and the next shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

from hypothesis.strategies import DrawFn
from torch import nn

from pytest_ckpt.strategies.networks.calls import Call, call, in_a_row
from pytest_ckpt.strategies.networks.shapes import Image, Sequence, Shape, Tokens, Vector
from pytest_ckpt.strategies.state.drawing import AtOnce

__all__ = [
    "FLOATS",
    "HALF_SIZES",
    "SIZES",
    "Drawing",
    "Drawn",
    "Kind",
    "Options",
    "Tables",
    "Variants",
    "fitting",
    "tables_of",
]

FLOATS: tuple[type[Shape], ...] = (Vector, Sequence, Image)
"""What holds floating-point numbers: all but tokens."""

Drawn: TypeAlias = tuple[Call, Shape]
"""A layer, and the shape of its output."""

Variants: TypeAlias = tuple[dict[str, Any], ...]
"""Keyword arguments to choose between."""

SIZES = tuple(range(2, 9))
"""Numbers of features."""

HALF_SIZES = tuple(range(2, 5))
"""Numbers of steps, of pixels, and of features where two of them are put together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Which kinds of layers may be drawn besides the usual ones.

    Attributes:
        sparse: Layers with sparse gradients.
        lazy: Layers whose parameters have no shape before the first call.
        forgetful: Layers with a non-persistent buffer that training changes.
        picklable: Only layers that can be pickled as a whole.
    """

    sparse: bool = False
    lazy: bool = False
    forgetful: bool = False
    picklable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Kind:
    """One kind of layer.

    Attributes:
        name: What the statistics call it.
        takes: The shapes it can take.
        draw: Draws one for a shape.
        request: The option that has to be on for it.
        nests: Whether it holds drawn layers.
        picklable: Whether modules of this kind can be pickled as a whole.
        registered: Whether it is not one of ours.
    """

    name: str
    takes: tuple[type[Shape], ...]
    draw: Callable[[Drawing, Any], Drawn]
    request: str = ""
    nests: bool = False
    picklable: bool = True
    registered: bool = False

    def fits(self, shape: type[Shape], options: Options, nesting: bool) -> bool:
        """Return whether it may be drawn for a shape."""
        asked = not self.request or getattr(options, self.request)
        return (
            shape in self.takes and asked and (nesting or not self.nests) and (self.picklable or not options.picklable)
        )


Tables: TypeAlias = Mapping[tuple[type[Shape], bool], tuple[Kind, ...]]
"""The kinds that can be drawn for a shape, with and without layers inside them."""


def tables_of(kinds: tuple[Kind, ...], options: Options) -> Tables:
    """Return the kinds to draw from; the first is what draws shrink towards.

    What takes a single shape is there three times: it is met as often as what takes each of the three.
    """
    often = [kind for kind in kinds for _ in range(3 // len(kind.takes))]
    return {
        (shape, nesting): tuple(kind for kind in often if kind.fits(shape, options, nesting))
        for shape in (*FLOATS, Tokens)
        for nesting in (False, True)
    }


@dataclass(kw_only=True, slots=True)
class Drawing:
    """What a kind of layer draws with.

    Bytes that are drawn at once decide on all of a module, one after the other; where they end, the simplest is
    chosen. What Hypothesis does for each value that it draws takes as long as building a small layer, and its habit
    of putting one value in another's place would discard one module in six.

    Attributes:
        draw: Hypothesis's own, for what is not ours to choose.
        options: What was asked for.
        tables: The kinds for each shape.
        nesting: How many more levels of layers within layers there may be.
        met: Collects the kinds that were drawn.
        decisions: The bytes that are left.
    """

    draw: DrawFn | AtOnce
    options: Options
    tables: Tables
    nesting: int
    met: set[Kind]
    decisions: Iterator[int]

    def choose(self, *values: Any) -> Any:
        """Choose one of the values by the next byte, or the next two; it shrinks towards the first."""
        number, choices = next(self.decisions, 0), 256
        if len(values) > choices:
            number, choices = number * 256 + next(self.decisions, 0), choices * 256
        return values[number * len(values) // choices]

    def layer(self, shape: Shape) -> Drawn:
        """Choose a layer."""
        kind: Kind = self.choose(*self.tables[type(shape), self.nesting > 0])
        self.met.add(kind)
        return kind.draw(self, shape)

    def inside(self, shape: Shape, gives: Shape | None = None) -> Drawn:
        """Choose one or two layers for the inside of another.

        Args:
            shape: What they take.
            gives: What they must give, where that matters.
        """
        calls, reached = [], shape
        self.nesting -= 1
        for _ in range(self.choose(1, 2)):
            made, reached = self.layer(reached)
            calls.append(made)
        self.nesting += 1
        if gives is not None and reached != gives:
            calls += fitting(reached, gives)
        return in_a_row(calls), gives or reached


def fitting(shape: Shape, gives: Shape) -> list[Call]:
    """Return the calls of layers that make one shape of another."""
    if isinstance(gives, Vector) and isinstance(shape, Vector):
        return [call(nn.Linear, shape.features, gives.features)]
    if isinstance(gives, Sequence) and isinstance(shape, Sequence) and shape.length == gives.length:
        return [call(nn.Linear, shape.features, gives.features)]
    if isinstance(gives, Image) and isinstance(shape, Image) and shape.sizes[1:] == gives.sizes[1:]:
        return [call(nn.Conv2d, shape.features, gives.features, 1)]
    flat, wanted = prod(shape.sizes), prod(gives.sizes)
    calls = [] if isinstance(shape, Vector) else [call(nn.Flatten)]
    calls.append(call(nn.Linear, flat, wanted))
    return calls if isinstance(gives, Vector) else [*calls, call(nn.Unflatten, 1, gives.sizes)]
