"""Whatever is drawn, through every format: it comes back bit for bit, or the format said before that it would not."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ckpt.comparison import compare
from pytest_ckpt.formats import Keeps, format_names, get_format
from pytest_ckpt.strategies import PLAIN_CONTAINERS, STRIDED_LAYOUTS, payloads, plain_values, tensors

pytestmark = pytest.mark.filterwarnings(
    "ignore:TypedStorage is deprecated:UserWarning",  # torch's own code for quantized tensors
    "ignore:torch.quantize_per_tensor:UserWarning",
    "ignore:ComplexHalf support is experimental:UserWarning",
    "ignore:Sparse .* tensor support is in beta:UserWarning",
)

FORMATS = [name for name in format_names() if not get_format(name).whole]
TRAITS = Keeps.STRIDES | Keeps.REQUIRES_GRAD | Keeps.PARAMETERS

# What docs/strategies/tensors_and_payloads.md says that no format refuses.
COMMON_DTYPES = st.sampled_from(
    [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int8, torch.bool]
)


def is_huge(value: Any) -> bool:
    return type(value) is int and value.bit_length() > 64


# Without NaN: the oldest pickles spell numbers, and a NaN of other bits is spelled as any other.
KEPT_BY_ALL = payloads(
    tensors(COMMON_DTYPES, layouts=STRIDED_LAYOUTS)
    | plain_values().filter(lambda value: value != b"" and value == value and not is_huge(value)),
    containers=PLAIN_CONTAINERS,
)


def trip(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    format = get_format(name)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"checkpoint{format.suffix}"
        format.save(payload, path)
        loaded = format.load(path)
        if name == "torch-mmap":
            assert list(compare(payload, loaded)) == []  # while its file is there
    return loaded


EXAMPLES = [pytest.param(10, id="ten"), pytest.param(1200, id="1200", marks=pytest.mark.thorough)]


@pytest.mark.parametrize("count", EXAMPLES)
@pytest.mark.parametrize("name", FORMATS)
def test_anything_is_refused_or_comes_back(name: str, count: int) -> None:
    format = get_format(name)

    @settings(max_examples=count, deadline=None)
    @given(payloads())
    def check(payload: dict[str, Any]) -> None:
        if format.refuses(payload) is None:
            traits = TRAITS in format.keeps
            assert list(compare(payload, trip(name, payload), traits=traits)) == []

    check()


@pytest.mark.parametrize("count", EXAMPLES)
@pytest.mark.parametrize("name", FORMATS)
def test_what_every_format_keeps_is_refused_by_none(name: str, count: int) -> None:
    format = get_format(name)

    @settings(max_examples=count, deadline=None)
    @given(KEPT_BY_ALL)
    def check(payload: dict[str, Any]) -> None:
        assert format.refuses(payload) is None
        assert list(compare(payload, trip(name, payload), traits=TRAITS in format.keeps)) == []

    check()


@pytest.mark.parametrize("count", EXAMPLES)
@pytest.mark.parametrize("name", ["dill", "torch+dill", "cloudpickle", "torch+cloudpickle"])
def test_functions_come_back_and_return_the_same(name: str, count: int) -> None:
    @settings(max_examples=count, deadline=None)
    @given(payloads(plain_values(), containers=["list"], allow_functions=True))
    def check(payload: dict[str, Any]) -> None:
        assert get_format(name).refuses(payload) is None
        assert list(compare(called(payload), called(trip(name, payload)))) == []

    check()


def called(value: Any) -> Any:
    """Put what a function returns in its place."""
    if isinstance(value, dict):
        return {key: called(item) for key, item in value.items()}
    if isinstance(value, list):
        return [called(item) for item in value]
    if callable(value):
        return value(3) if value.__code__.co_argcount else called(value())
    return value
