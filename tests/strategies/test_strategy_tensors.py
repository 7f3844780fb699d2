"""What ``dtypes`` and ``tensors`` draw: all of it, in few choices, and without a trace."""

# Longer than 250 lines because there are many kinds of tensors, and options that choose among them.

from __future__ import annotations

import math
import random
import statistics
import time
import warnings
from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from hypothesis.statistics import collector

from pytest_ckpt.state.tensors import dense_parts
from pytest_ckpt.strategies import DTYPE_KINDS, LAYOUTS, STRIDED_LAYOUTS, dtypes, tensors
from pytest_ckpt.strategies.state.elements import bytes_needed, make_elements

pytestmark = pytest.mark.filterwarnings(
    "ignore:ComplexHalf support is experimental:UserWarning",  # torch's own code, when one is copied or printed
    "ignore:Sparse .* tensor support is in beta:UserWarning",
)

FIXED = settings(max_examples=100, derandomize=True, database=None, deadline=None)
MANY = settings(FIXED, max_examples=600)


def drawn(strategy: st.SearchStrategy[Any], using: settings = FIXED) -> list[Any]:
    found: list[Any] = []

    @using
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # drawing is quiet
        collect()
    return found


def bits(tensor: torch.Tensor) -> list[tuple[str, str | bytes]]:
    return [
        (name, part if isinstance(part, str) else bytes(part.clone().untyped_storage()))
        for name, part in dense_parts(tensor)
    ]


def test_the_dtypes_are_those_that_torch_saves_copies_and_prints(tmp_path: Any) -> None:
    works = set()
    for dtype in {value for value in vars(torch).values() if isinstance(value, torch.dtype)}:
        try:
            sample = torch.ones(16, dtype=torch.uint8).view(dtype)
            torch.save(sample, tmp_path / "x.pt")
            if torch.equal(torch.load(tmp_path / "x.pt").view(torch.uint8), sample.view(torch.uint8)):
                repr(sample.clone())
                repr(sample.clone()[0])
                works.add(dtype)
        except (NotImplementedError, RuntimeError, KeyError, UserWarning):
            continue

    assert {torch.bfloat16, torch.float8_e4m3fn, torch.uint64, torch.complex64} <= works
    assert set(drawn(dtypes())) | {torch.complex32} == works | {torch.complex32}  # of which torch warns


def test_quantized_dtypes_are_there_for_the_asking() -> None:
    assert set(drawn(dtypes(kinds=["quantized"]))) == {torch.qint8, torch.quint8, torch.qint32}
    assert find(dtypes(), lambda dtype: True) is torch.float32
    assert DTYPE_KINDS == ("float", "int", "bool", "complex")


def kinds_of(tensor: torch.Tensor) -> set[str]:
    """Name everything that is special about a tensor."""
    kinds = {str(tensor.dtype), str(tensor.layout), f"{tensor.dim()} dimensions"}
    kinds |= {"parameter"} if isinstance(tensor, torch.nn.Parameter) else set()
    kinds |= {"requires gradients"} if tensor.requires_grad else set()
    kinds |= {"no elements"} if not tensor.numel() else set()
    if tensor.layout is torch.sparse_coo:
        kinds.add("coalesced" if tensor.is_coalesced() else "not coalesced")
        kinds |= {"hybrid"} if tensor.dense_dim() else set()
    elif tensor.is_quantized:
        kinds.add(str(tensor.qscheme()))
    elif tensor.layout is torch.strided:
        kinds |= kinds_of_strides(tensor)
    return kinds


def kinds_of_strides(tensor: torch.Tensor) -> set[str]:
    facts = {
        "conjugate bit": tensor.is_conj(),
        "negative bit": tensor.is_neg(),
        "offset": tensor.storage_offset() > 0,
        "not contiguous": not tensor.is_contiguous(),
        "more storage than elements": tensor.untyped_storage().nbytes() > tensor.nbytes,
        "less storage than elements": tensor.untyped_storage().nbytes() < tensor.nbytes,
        "repeated": any(size > 1 and not stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True)),
        "many elements": tensor.numel() > 64,
    }
    if tensor.dim() == 4 and not tensor.is_contiguous():
        facts["channels last"] = tensor.is_contiguous(memory_format=torch.channels_last)
    if tensor.dim() == 5 and not tensor.is_contiguous():
        facts["channels last in 3d"] = tensor.is_contiguous(memory_format=torch.channels_last_3d)
    return {fact for fact, holds in facts.items() if holds}


NAMED = {
    *("parameter", "requires gradients", "no elements", "coalesced", "not coalesced", "hybrid", "many elements"),
    *("conjugate bit", "negative bit", "offset", "not contiguous", "repeated", "channels last", "channels last in 3d"),
    *("more storage than elements", "less storage than elements"),
    *(f"{dims} dimensions" for dims in range(6)),
    *(f"torch.{scheme}" for scheme in ("per_tensor_affine", "per_channel_affine")),
    *(f"torch.sparse_{layout}" for layout in ("coo", "csr", "csc", "bsr", "bsc")),
}


def test_every_dtype_and_layout_turns_up() -> None:
    counted = Counter(kind for tensor in drawn(tensors(), MANY) for kind in kinds_of(tensor))

    expected = NAMED | {str(dtype) for dtype in drawn(dtypes(kinds=[*DTYPE_KINDS, "quantized"]))}
    assert {kind for kind in expected if counted[kind] < 2} == set()


def values_of(tensor: torch.Tensor) -> set[str]:
    kinds = set()
    for number in tensor.detach().flatten().tolist():
        (pattern,) = np.float64(number).view(np.uint64).reshape(1).tolist()
        if math.isnan(number):
            kinds.add("nan" if pattern & (2**51 - 1) == 0 else "nan with a payload")
        elif math.isinf(number):
            kinds.add("infinity" if number > 0 else "negative infinity")
        elif not number:
            kinds.add("negative zero" if pattern else "zero")
        else:
            kinds.add("subnormal" if abs(number) < 2.0**-1022 else "number")
    return kinds


def test_every_kind_of_value_turns_up() -> None:
    doubles = drawn(tensors(st.just(torch.float64), layouts=["contiguous"]), MANY)

    counted = Counter(kind for tensor in doubles for kind in values_of(tensor))

    assert len(counted) == 8
    assert min(counted.values()) >= 5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_special_patterns_are_what_they_are_called(dtype: torch.dtype) -> None:
    content = bytes(range(12)) + bytes(12 * dtype.itemsize)
    elements = make_elements(content, dtype, 12, allow_nan=True, allow_infinity=True)
    about = torch.finfo(dtype)

    assert bytes_needed(dtype, 12) == len(content)
    assert elements[:7].tolist() == [0.0, 1.0, -1.0, 0.0, about.smallest_normal * about.eps, math.inf, -math.inf]
    assert str(elements[3].item()) == "-0.0"
    assert elements[7:11].isnan().all()
    assert elements[11] == about.smallest_normal * (1 - about.eps)


@pytest.mark.parametrize("layouts", [["contiguous"], ["negated"], ["sparse_coo"]])
def test_values_that_are_not_allowed_are_not_drawn(layouts: Collection[str]) -> None:
    wide = st.sampled_from([torch.float32, torch.float16])

    for tensor in drawn(tensors(wide, layouts=layouts, allow_nan=False, allow_infinity=False)):
        values = tensor.detach()._values() if tensor.layout is torch.sparse_coo else tensor.detach()
        assert values.isfinite().all()


def test_shapes_are_as_asked_for() -> None:
    for tensor in drawn(tensors(min_dims=2, max_dims=3, min_side=2, max_side=5)):
        assert 2 <= tensor.dim() <= 3
        assert all(2 <= side <= 5 for side in tensor.shape)
    assert {tensor.shape for tensor in drawn(tensors(shapes=st.just((2, 0, 3))))} == {(2, 0, 3)}
    assert max(max(tensor.shape) for tensor in drawn(tensors(min_dims=1, max_dims=1, max_side=2000))) > 1000


@pytest.mark.parametrize("wanted", [True, False])
def test_parameters_and_gradients_are_as_asked_for(wanted: bool) -> None:
    asked = tensors(dtypes(kinds=["float", "complex"]), requires_grad=wanted, parameters=not wanted)

    for tensor in drawn(asked):
        assert tensor.requires_grad is wanted
        assert tensor.is_leaf
        assert isinstance(tensor, torch.nn.Parameter) is not wanted


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_can_be_drawn_alone(layout: str) -> None:
    found = drawn(tensors(layouts=[layout]), settings(FIXED, max_examples=60))

    assert len({tensor.dtype for tensor in found}) >= 3
    assert all(repr(tensor) for tensor in found)


@pytest.mark.parametrize("dtype", drawn(dtypes()))
def test_small_examples_are_zeros_of_one_element_or_less(dtype: torch.dtype) -> None:
    smallest = find(tensors(st.just(dtype)), lambda tensor: True, settings=settings(database=None))

    assert (smallest.dtype, smallest.shape, smallest.layout) == (dtype, (), torch.strided)
    assert type(smallest) is torch.Tensor
    assert not smallest.requires_grad
    assert not any(bytes(smallest.untyped_storage()))


def test_a_nan_is_found_in_its_smallest_form() -> None:
    smallest = find(
        tensors(st.just(torch.float32), min_dims=1),
        lambda x: bool(x.to_dense().isnan().any()),
        settings=settings(database=None),
    )

    assert smallest.shape == (1,)
    assert smallest.is_contiguous()


def test_an_example_that_is_replayed_has_the_same_bits() -> None:
    first, second = (drawn(tensors(max_dims=2, max_side=40), settings(FIXED, max_examples=80)) for _ in range(2))

    assert [bits(tensor) for tensor in first] == [bits(tensor) for tensor in second]
    assert any(tensor.numel() > 1000 for tensor in first)  # of which the elements come from a seed


def random_state() -> tuple[Any, ...]:
    return random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()


def test_drawing_leaves_the_global_random_state_alone() -> None:
    @FIXED
    @given(st.data())
    def check(data: st.DataObject) -> None:
        before = random_state()
        data.draw(tensors(max_dims=3, max_side=12))
        assert random_state() == before

    check()


def test_the_default_device_does_not_matter() -> None:
    with torch.device("meta"):
        found = drawn(tensors(), settings(FIXED, max_examples=150))

    assert {tensor.device.type for tensor in found} == {"cpu"}


def discarded(strategy: st.SearchStrategy[Any]) -> float:
    """Return the share of test cases that Hypothesis threw away."""
    collected: list[Any] = []
    with collector.with_value(collected.append):  # type: ignore[arg-type]
        drawn(strategy, MANY)
    cases = [case["status"] for phases in collected for case in phases["generate-phase"]["test-cases"]]
    assert len(cases) >= 600
    return sum(1 for status in cases if status != "valid") / len(cases)


@pytest.mark.parametrize("strategy", [tensors(), tensors(dtypes()), tensors(layouts=STRIDED_LAYOUTS)])
def test_nearly_nothing_is_discarded(strategy: st.SearchStrategy[Any]) -> None:
    assert discarded(strategy) < 0.01


def test_drawing_is_quick() -> None:
    times = []

    @FIXED
    @given(st.data())
    def check(data: st.DataObject) -> None:
        start = time.perf_counter()
        data.draw(tensors())
        times.append(time.perf_counter() - start)

    check()

    assert statistics.median(times) < 5e-3  # 0.2 ms on an idle machine


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: dtypes(kinds=["floats"]),
            "dtypes.kinds=.'floats'..: 'floats' to draw from. Give one or more of 'float'",
        ),
        (lambda: dtypes(kinds=[]), "no kind to draw from"),
        (lambda: tensors(layouts=["dense"]), "'dense' to draw from. Give one or more of 'contiguous', 'channels_last'"),
        (lambda: tensors(layouts=[]), "no layout to draw from"),
        (lambda: tensors(min_dims=3, max_dims=2), r"tensors\(min_dims=3, max_dims=2\): nothing is between"),
        (lambda: tensors(min_side=-1), r"tensors\(min_side=-1, max_side=4\): nothing is between"),
        (lambda: tensors(layouts=["channels_last"], max_dims=3), "none of .'channels_last'. has between 0 and 3 dim"),
        (
            lambda: tensors(layouts=["channels_last"], min_side=9, max_side=9, max_elements=800),
            "has between 0 and 3 dimensions, with at most 800 elements",
        ),
        (
            lambda: tensors(min_dims=3, min_side=5, max_side=5, max_elements=100),
            r"tensors\(max_elements=100\): 3 dimensions of 5 have 125 already",
        ),
        (
            lambda: drawn(tensors(st.just(torch.int8), layouts=["conjugated"])),
            "none of the layouts conjugated is there for torch.int8 with 0 to 5 dimensions",
        ),
    ],
)
def test_what_cannot_be_drawn_is_told(make: Any, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        make()
