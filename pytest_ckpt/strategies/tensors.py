"""``tensors()``: tensors of every dtype, shape, layout and value that a checkpoint may hold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeVar

import torch
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from pytest_ckpt.strategies.drawing import Numbers, draw_element_bytes, draw_numbers
from pytest_ckpt.strategies.elements import bytes_needed, make_elements
from pytest_ckpt.strategies.layouts import LAYOUTS, LAYOUTS_BY_NAME, Layout
from pytest_ckpt.strategies.striding import Fill, Shape

__all__ = ["tensors"]

_T = TypeVar("_T")

# Enough to say how many dimensions there are, how long they are, and what is special about them.
_NUMBERS = 32
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
        shapes: The sizes, in place of the four bounds. At least one of the layouts must take each of them.
        min_dims: How many dimensions there are at least.
        max_dims: And at most.
        min_side: How long a dimension is at least; with 0 some tensors have no elements.
        max_side: And at most.
        layouts: Names out of ``LAYOUTS``, simplest first. ``STRIDED_LAYOUTS`` are those that every format takes.
        requires_grad: Whether the tensors whose dtype allows it require gradients; by default some do.
        parameters: Whether they are ``nn.Parameter``; by default some are.
        allow_nan: Whether elements may be NaN.
        allow_infinity: Whether elements may be infinite.

    Raises:
        InvalidArgument: If bounds contradict each other, there is no such layout, or no layout fits; a dtype or shape
            that was drawn and fits no layout is known when it is drawn.
    """
    _check_bounds(min_dims, max_dims, min_side, max_side)
    known = _look_up(layouts)
    if shapes is None and not any(layout.min_dims <= max_dims and min_dims <= layout.max_dims for layout in known):
        raise InvalidArgument(f"None of {list(layouts)!r} has between {min_dims} and {max_dims} dimensions.")
    return _tensors(
        _Options(
            dtypes=dtypes,
            shapes=shapes,
            bounds=(min_dims, max_dims, min_side, max_side),
            layouts=known,
            traits=_traits(requires_grad, parameters),
            elements=partial(make_elements, allow_nan=allow_nan, allow_infinity=allow_infinity),
        )
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Options:
    dtypes: st.SearchStrategy[torch.dtype] | None
    shapes: st.SearchStrategy[Shape] | None
    bounds: tuple[int, int, int, int]
    layouts: tuple[Layout, ...]
    traits: st.SearchStrategy[tuple[bool, bool]]
    elements: Callable[..., torch.Tensor]


@st.composite
def _tensors(draw: st.DrawFn, options: _Options) -> torch.Tensor:
    dtype = None if options.dtypes is None else draw(options.dtypes)
    shape = None if options.shapes is None else draw(options.shapes)
    layout = _draw_layout(draw, options, dtype, shape)
    if dtype is None:
        dtype = draw(_sampled(layout.dtypes))
    numbers = draw_numbers(draw, _NUMBERS)
    if shape is None:
        shape = _shape(numbers, options, layout)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls some layouts experimental and others deprecated
        tensor = layout.make(numbers, dtype, shape, _fill(draw, options))
    parameter, requires_grad = draw(options.traits)
    requires_grad &= dtype.is_floating_point or dtype.is_complex
    if parameter:
        return torch.nn.Parameter(tensor, requires_grad=requires_grad)
    return tensor.requires_grad_(requires_grad)


def _draw_layout(draw: st.DrawFn, options: _Options, dtype: torch.dtype | None, shape: Shape | None) -> Layout:
    low, high = options.bounds[:2] if shape is None else (len(shape), len(shape))
    fitting = tuple(layout for layout in options.layouts if layout.fits(dtype or layout.dtypes[0], low, high))
    if not fitting:
        names = [name for name, layout in LAYOUTS_BY_NAME.items() if layout in options.layouts]
        what = f"{low} dimensions" if low == high else f"{low} to {high} dimensions"
        raise InvalidArgument(
            f"tensors(): none of the layouts {', '.join(names)} is there for {dtype or 'any dtype'} with {what}. "
            "Allow more of them with layouts=, or draw other dtypes and shapes."
        )
    layout: Layout = draw(_sampled(fitting))
    return layout


def _shape(numbers: Numbers, options: _Options, layout: Layout) -> Shape:
    min_dims, max_dims, min_side, max_side = options.bounds
    least, most = max(min_dims, layout.min_dims), min(max_dims, layout.max_dims)
    dims = least + numbers.below(most - least + 1)
    shortest = min(max(min_side, 1), max_side)
    # Two for each side, because there may be more than 256 lengths.
    pairs = (numbers.many(2, 256) for _ in range(dims))
    shape = [shortest + (256 * high + low) % (max_side - shortest + 1) for high, low in pairs]
    if numbers.below(_EMPTY) == _EMPTY - 1 and shape and not min_side:
        shape[numbers.below(len(shape))] = 0
    return tuple(shape)


def _fill(draw: st.DrawFn, options: _Options) -> Fill:
    def fill(dtype: torch.dtype, count: int) -> torch.Tensor:
        return options.elements(draw_element_bytes(draw, bytes_needed(dtype, count)), dtype, count)

    return fill


@cache
def _sampled(values: tuple[_T, ...]) -> st.SearchStrategy[_T]:
    """Made once, because to make a strategy costs more than to draw from it."""
    return st.sampled_from(values)


def _traits(requires_grad: bool | None, parameters: bool | None) -> st.SearchStrategy[tuple[bool, bool]]:
    return st.sampled_from(
        [
            (parameter, gradient)
            for parameter in (False, True)
            for gradient in (False, True)
            if parameters in (None, parameter) and requires_grad in (None, gradient)
        ]
    )


def _look_up(layouts: Collection[str]) -> tuple[Layout, ...]:
    unknown = sorted(set(layouts) - LAYOUTS_BY_NAME.keys())
    if unknown or not layouts:
        raise InvalidArgument(
            f"tensors(layouts={list(layouts)!r}): {', '.join(map(repr, unknown)) or 'no layout'} to draw from. "
            f"Give one or more of {', '.join(map(repr, LAYOUTS))}."
        )
    return tuple(LAYOUTS_BY_NAME[name] for name in layouts)


def _check_bounds(min_dims: int, max_dims: int, min_side: int, max_side: int) -> None:
    for name, low, high in (("dims", min_dims, max_dims), ("side", min_side, max_side)):
        if not 0 <= low <= high:
            raise InvalidArgument(f"tensors(min_{name}={low}, max_{name}={high}): nothing is between these bounds.")
