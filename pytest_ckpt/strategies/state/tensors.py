"""``tensors()``: tensors of every dtype, shape, layout and value that a checkpoint may hold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache, partial
from math import prod
from typing import NamedTuple

import torch
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from pytest_ckpt.strategies.state.drawing import Numbers, draw_numbers
from pytest_ckpt.strategies.state.elements import bytes_needed, make_elements
from pytest_ckpt.strategies.state.layouts import LAYOUTS, LAYOUTS_BY_NAME, Layout
from pytest_ckpt.strategies.state.striding import Fill, Shape

__all__ = ["tensors"]

# One in so many tensors has a dimension of length zero.
_EMPTY = 12


def tensors(
    dtypes: st.SearchStrategy[torch.dtype] | None = None,
    *,
    shapes: st.SearchStrategy[Shape] | None = None,
    min_dims: int = 0,
    max_dims: int = 5,
    min_side: int = 0,
    max_side: int = 4,
    max_elements: int = 10_000,
    layouts: Collection[str] = LAYOUTS,
    requires_grad: bool | None = None,
    parameters: bool | None = None,
    allow_nan: bool = True,
    allow_infinity: bool = True,
) -> st.SearchStrategy[torch.Tensor]:
    """Generate tensors on the CPU, down to their bits.

    NaN with and without a payload, -0.0, infinities and subnormal numbers turn up often. The elements of a
    small tensor are chosen one by one; those of a larger one come from one drawn seed. No global random state is
    touched.
    Shrinks towards ``torch.tensor(0.0)``.

    Args:
        dtypes: What the elements are. By default what the layout can have, so that each layout is as frequent.
        shapes: The sizes, in place of the five bounds. At least one of the layouts must take each of them.
        min_dims: How many dimensions there are at least.
        max_dims: And at most.
        min_side: How long a dimension is at least; with 0 some tensors have no elements.
        max_side: And at most.
        max_elements: How many elements there are at most; where the sides would make more, the longest is halved.
            The storage of a view may be nine times as large.
        layouts: Names out of ``LAYOUTS``, simplest first. ``STRIDED_LAYOUTS`` are those that every format takes.
        requires_grad: Whether the tensors whose dtype allows it require gradients; by default some do.
        parameters: Whether they are ``nn.Parameter``; by default some are.
        allow_nan: Whether elements may be NaN.
        allow_infinity: Whether elements may be infinite.

    Raises:
        InvalidArgument: If bounds contradict each other, there is no such layout, or no layout fits; a dtype or shape
            that was drawn and fits no layout is known when it is drawn.
    """
    bounds = _Bounds(min_dims, max_dims, min_side, max_side, max_elements)
    _check_bounds(bounds)
    known = _look_up(layouts)
    if shapes is None and not any(item.min_dims <= bounds.most_dims and min_dims <= item.max_dims for _, item in known):
        raise InvalidArgument(
            f"tensors(): none of {list(layouts)!r} has between {min_dims} and {bounds.most_dims} dimensions, with at "
            f"most {max_elements} elements. Allow more of them, or other layouts."
        )
    return _tensors(
        _Options(
            dtypes=dtypes,
            shapes=shapes,
            bounds=bounds,
            layouts=known,
            traits=_traits(requires_grad, parameters),
            elements=partial(make_elements, allow_nan=allow_nan, allow_infinity=allow_infinity),
        )
    )


class _Bounds(NamedTuple):
    min_dims: int
    max_dims: int
    min_side: int
    max_side: int
    max_elements: int

    @property
    def shortest(self) -> int:
        """Return the least side of a tensor that has elements, if there is one."""
        return min(max(self.min_side, 1), self.max_side)

    @property
    def most_dims(self) -> int:
        """Return how many dimensions there can be with so many elements."""
        dims = range(self.min_dims, self.max_dims + 1)
        return max((many for many in dims if self.shortest**many <= self.max_elements), default=self.min_dims)


# A strategy shows its arguments, and all layouts with all their dtypes are more than anybody reads.
@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class _Options:
    dtypes: st.SearchStrategy[torch.dtype] | None
    shapes: st.SearchStrategy[Shape] | None
    bounds: _Bounds
    layouts: tuple[tuple[str, Layout], ...]
    traits: tuple[tuple[bool, bool], ...]
    elements: Callable[..., torch.Tensor]


@st.composite
def _tensors(draw: st.DrawFn, options: _Options) -> torch.Tensor:
    dtype = None if options.dtypes is None else draw(options.dtypes)
    shape = None if options.shapes is None else draw(options.shapes)
    numbers = draw_numbers(draw)
    parameter, requires_grad = numbers.pick(options.traits)
    name, layout = numbers.pick(_fitting(options.layouts, options.bounds, dtype, shape))
    dtype = numbers.pick(layout.dtypes) if dtype is None else dtype
    shape = _shape(numbers, options.bounds, layout) if shape is None else shape
    event(f"tensor: {name}")
    event(f"tensor of {dtype}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls some layouts experimental and others deprecated
        tensor = layout.make(numbers, dtype, shape, _fill(numbers, options))
    requires_grad &= dtype.is_floating_point or dtype.is_complex
    if parameter:
        return torch.nn.Parameter(tensor, requires_grad=requires_grad)
    return tensor.requires_grad_(requires_grad)


@lru_cache(maxsize=256)
def _fitting(
    layouts: tuple[tuple[str, Layout], ...], bounds: _Bounds, dtype: torch.dtype | None, shape: Shape | None
) -> tuple[tuple[str, Layout], ...]:
    low, high = (bounds.min_dims, bounds.most_dims) if shape is None else (len(shape), len(shape))
    fitting = tuple((name, item) for name, item in layouts if item.fits(dtype or item.dtypes[0], low, high))
    if not fitting:
        what = f"{low} dimensions" if low == high else f"{low} to {high} dimensions"
        raise InvalidArgument(
            f"tensors(): none of the layouts {', '.join(name for name, _ in layouts)} is there for "
            f"{dtype or 'any dtype'} with {what}. Allow more of them with layouts=, or draw other dtypes and shapes."
        )
    return fitting


def _shape(numbers: Numbers, bounds: _Bounds, layout: Layout) -> Shape:
    least, most = max(bounds.min_dims, layout.min_dims), min(bounds.most_dims, layout.max_dims)
    dims = least + numbers.below(most - least + 1)
    lengths = bounds.max_side - bounds.shortest + 1
    # Two for each side, because there may be more than 256 lengths.
    pairs = (numbers.many(2, 256) for _ in range(dims))
    shape = [bounds.shortest + (256 * high + low) % lengths for high, low in pairs]
    while prod(shape) > bounds.max_elements:
        longest = max(shape)
        shape[shape.index(longest)] = max(longest // 2, bounds.shortest)
    if numbers.below(_EMPTY) == _EMPTY - 1 and shape and not bounds.min_side:
        shape[numbers.below(len(shape))] = 0
    return tuple(shape)


def _fill(numbers: Numbers, options: _Options) -> Fill:
    def fill(dtype: torch.dtype, count: int) -> torch.Tensor:
        return options.elements(numbers.element_bytes(bytes_needed(dtype, count)), dtype, count)

    return fill


def _traits(requires_grad: bool | None, parameters: bool | None) -> tuple[tuple[bool, bool], ...]:
    return tuple(
        (parameter, gradient)
        for parameter in (False, True)
        for gradient in (False, True)
        if parameters in (None, parameter) and requires_grad in (None, gradient)
    )


def _look_up(layouts: Collection[str]) -> tuple[tuple[str, Layout], ...]:
    unknown = sorted(set(layouts) - LAYOUTS_BY_NAME.keys())
    if unknown or not layouts:
        raise InvalidArgument(
            f"tensors(layouts={list(layouts)!r}): {', '.join(map(repr, unknown)) or 'no layout'} to draw from. "
            f"Give one or more of {', '.join(map(repr, LAYOUTS))}."
        )
    return tuple((name, LAYOUTS_BY_NAME[name]) for name in layouts)


def _check_bounds(bounds: _Bounds) -> None:
    min_dims, max_dims, min_side, max_side, max_elements = bounds
    for name, low, high in (("dims", min_dims, max_dims), ("side", min_side, max_side)):
        if not 0 <= low <= high:
            raise InvalidArgument(f"tensors(min_{name}={low}, max_{name}={high}): nothing is between these bounds.")
    if max_elements < (least := bounds.shortest**min_dims):
        raise InvalidArgument(
            f"tensors(max_elements={max_elements}): {min_dims} dimensions of {bounds.shortest} have {least} already. "
            "Allow more elements, or fewer or shorter dimensions."
        )
