"""What a checkpoint holds beside tensors: numbers, texts, objects of the standard library and of numpy."""

from __future__ import annotations

import datetime
import operator
import random
from decimal import Decimal
from math import prod
from pathlib import PurePosixPath
from typing import Any

import torch
from hypothesis import strategies as st

from pytest_ckpt.strategies.state.drawing import draw_numbers
from pytest_ckpt.strategies.state.elements import bytes_needed, make_elements
from pytest_ckpt.strategies.state.samples import Colour, Phase

try:
    import numpy
except ImportError:  # torch runs without it
    numpy = None  # type: ignore[assignment]

__all__ = ["numpy_values", "objects", "plain_values", "random_states"]


def plain_values() -> st.SearchStrategy[Any]:
    """Generate values that every format keeps: ``None``, booleans, numbers, texts and bytes.

    Integers of thousands of bits are among them, and NaN with a payload, -0.0 and infinities.
    Shrinks towards ``None``.
    """
    return _as_one(_PLAIN_VALUES)


def objects() -> st.SearchStrategy[Any]:
    """Generate objects that pickle knows what to do with: enumerations, paths, dates, ranges, decimals.

    Shrinks towards an enumeration.
    """
    return _as_one(_OBJECTS)


def numpy_values() -> st.SearchStrategy[Any]:
    """Generate arrays of numpy of any byte order with up to two dimensions, and numpy's own numbers.

    Shrinks towards ``array(0.0)``. Nothing is generated where numpy is not installed.
    """
    return _NUMPY_VALUES


def random_states() -> st.SearchStrategy[Any]:
    """Generate states of random generators, as torch, Python and numpy hand them out.

    They belong to generators of their own: no global one is read or moved. Shrinks towards torch's, seeded with 0.
    """
    return _as_one(_RANDOM_STATES)


def _torch_state(seed: int) -> torch.Tensor:
    return torch.Generator("cpu").manual_seed(seed).get_state()


def _python_state(seed: int) -> Any:
    return random.Random(seed).getstate()


def _numpy_state(seed: int) -> Any:
    return numpy.random.default_rng(seed).bit_generator.state


def _legacy_numpy_state(seed: int) -> Any:
    return numpy.random.RandomState(seed).get_state(legacy=True)


@st.composite
def _as_one(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> Any:
    """Keep ``tensors() | plain_values()`` from drawing seven plain values for each tensor."""
    return draw(values)


# Below 4,300 decimal digits: a failing example must be printable.
_INTEGERS = st.builds(operator.lshift, st.integers(), st.sampled_from([0, 0, 0, 62, 3000]))

_PLAIN_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    _INTEGERS,
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=8),
    st.binary(max_size=8),
)

_ZONES = st.sampled_from([None, datetime.UTC, datetime.timezone(datetime.timedelta(hours=-5, minutes=30))])
_OBJECTS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([*Colour, *Phase]),
    st.sampled_from([torch.float32, torch.bfloat16, torch.Size([2, 3]), torch.device("cuda:1"), torch.strided]),
    st.builds(PurePosixPath, st.text("ab./", max_size=6)),
    st.datetimes(timezones=_ZONES),
    st.dates(),
    st.timedeltas(),
    st.builds(range, st.integers(-3, 3), st.integers(-3, 3), st.sampled_from([1, 2, -1])),
    st.builds(slice, st.none() | st.integers(-3, 3), st.integers(-3, 3)),
    st.sampled_from([Decimal("1.0"), Decimal("1.00"), Decimal("NaN"), Decimal("-0")]),
    st.fractions(max_denominator=9),
    st.builds(bytearray, st.binary(max_size=4)),
)

_SEEDS = st.integers(0, 2**32 - 1)
_RANDOM_STATES: st.SearchStrategy[Any] = st.builds(_torch_state, _SEEDS) | st.builds(_python_state, _SEEDS)

_ARRAY_DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8),
    *(torch.uint16, torch.uint32, torch.uint64, torch.bool, torch.complex64, torch.complex128),
)
_MAX_SIDE = 3


@st.composite
def _arrays(draw: st.DrawFn) -> Any:
    numbers = draw_numbers(draw)
    dtype = numbers.pick(_ARRAY_DTYPES)
    scalar, swapped, *shape = numbers.below(4), numbers.below(4), *numbers.many(numbers.below(3), _MAX_SIDE + 1)
    content = numbers.element_bytes(bytes_needed(dtype, prod(shape)))
    elements = make_elements(content, dtype, prod(shape), allow_nan=True, allow_infinity=True)
    array = elements.numpy().reshape(shape)
    if not shape and scalar:
        return array[()]
    return array.astype(array.dtype.newbyteorder()) if swapped == 3 else array


if numpy is None:
    _NUMPY_VALUES: st.SearchStrategy[Any] = st.nothing()
else:
    _NUMPY_VALUES = _arrays()
    _RANDOM_STATES |= st.builds(_numpy_state, _SEEDS) | st.builds(_legacy_numpy_state, _SEEDS)
