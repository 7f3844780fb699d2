"""Two tensors, bit for bit, whatever they are made of."""

# Longer than 250 lines because each way in which two tensors can differ has its words.

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tensor_kinds import KINDS, ONE, OTHER, Placed, Tagged, make
from torch import nn

from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.state import freeze

pytestmark = pytest.mark.filterwarnings("ignore:.*(Sparse|quantize|nested tensors|ComplexHalf):UserWarning")


def only(expected: torch.Tensor, actual: torch.Tensor, *, traits: bool = False) -> Mismatch:
    """Return the one difference between two tensors."""
    diff = compare({"w": expected}, {"w": actual}, traits=traits)
    assert [mismatch.path for mismatch in diff] == ["w"]
    return diff.mismatches[0]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_tensors_of_every_kind_are_equal(kind: str) -> None:
    assert not compare(make(kind), make(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_copy_of_every_kind_is_equal(kind: str) -> None:
    tensor = make(kind)

    assert not compare(tensor, freeze(tensor), traits=False)
    assert not compare(freeze(tensor), freeze(make(kind)))
    assert compare(freeze(tensor), freeze(make(kind, OTHER)))


@pytest.mark.parametrize("kind", KINDS)
def test_another_element_is_found_in_every_kind(kind: str) -> None:
    mismatch = only(make(kind, ONE), make(kind, OTHER))

    assert (mismatch.kind, mismatch.tensor) == ("value", True)
    assert mismatch.expected != mismatch.actual or "differ, first at" in mismatch.detail
    assert pickle.loads(pickle.dumps(mismatch)) == mismatch


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "jagged"])
def test_tensors_of_different_kinds_are_never_equal(kind: str) -> None:
    """Includes every pair of layouts and classes; none may crash or read beyond a tensor's memory."""
    for other in KINDS:
        diff = compare(make(kind), make(other))
        assert bool(diff) == (kind != other), (kind, other)


def nan(payload: int) -> torch.Tensor:
    return torch.tensor([0x7FC00000 + payload], dtype=torch.int32).view(torch.float32)


def floats(*values: float) -> torch.Tensor:
    return torch.tensor(values)


# (expected, actual): kind, text of both, detail
WORDS: dict[str, tuple[torch.Tensor, torch.Tensor, tuple[str, str, str, str]]] = {
    "dtype": (
        torch.ones(2),
        torch.ones(2, dtype=torch.float64),
        ("dtype", "float32 (2,)", "float64 (2,)", ""),
    ),
    "int and bool": (
        torch.ones(2, dtype=torch.int64),
        torch.ones(2, dtype=torch.bool),
        ("dtype", "int64 (2,)", "bool (2,)", ""),
    ),
    "scalar shape": (torch.tensor(1.0), torch.ones(1), ("shape", "float32 ()", "float32 (1,)", "")),
    "empty shapes": (torch.ones(0, 2), torch.ones(2, 0), ("shape", "float32 (0, 2)", "float32 (2, 0)", "")),
    "layout": (
        torch.eye(2),
        torch.eye(2).to_sparse(),
        ("layout", "float32 (2, 2)", "float32 (2, 2) sparse_coo", ""),
    ),
    "meta": (
        torch.ones(2),
        torch.ones(2, device="meta"),
        ("type", "float32 (2,)", "float32 (2,) on meta (no data)", ""),
    ),
    "meta shapes": (
        torch.ones(2, device="meta"),
        torch.ones(3, device="meta"),
        ("value", "(2,)", "(3,)", "meta"),
    ),
    "lazy": (
        nn.UninitializedParameter(),
        nn.Parameter(torch.ones(2)),
        ("type", "an uninitialized lazy parameter", "float32 (2,)", ""),
    ),
    "one element": (floats(1.5), floats(2.5), ("value", "1.5", "2.5", "")),
    "one integer": (torch.tensor(3), torch.tensor(4), ("value", "3", "4", "")),
    "one element without arithmetic": (
        torch.tensor([1, 2], dtype=torch.uint8).view(torch.bits16),
        torch.tensor([1, 3], dtype=torch.uint8).view(torch.bits16),
        ("value", "bits 0102", "bits 0103", ""),
    ),
    "negative zero": (floats(0.0), floats(-0.0), ("value", "0.0", "-0.0", "")),
    "nan payload": (nan(0), nan(1), ("value", "nan", "nan", "the same number in other bits")),
    "signs of zeros": (
        floats(0.0, 1.0, 0.0),
        floats(0.0, 1.0, -0.0),
        ("value", "float32 (3,)", "float32 (3,)", "1 of 3 elements differ, first at [2]: 0.0 became -0.0"),
    ),
    "matrix": (
        torch.zeros(3, 4),
        torch.zeros(3, 4).index_put((torch.tensor([1, 2]), torch.tensor([2, 0])), floats(1.0, 2.0)),
        ("value", "float32 (3, 4)", "float32 (3, 4)", "2 of 12 elements differ, first at [1, 2]: 0.0 became 1.0"),
    ),
    "complex128": (
        torch.tensor([1j, 2j], dtype=torch.complex128),
        torch.tensor([1j, 3j], dtype=torch.complex128),
        ("value", "complex128 (2,)", "complex128 (2,)", "1 of 2 elements differ, first at [1]: 2j became 3j"),
    ),
    "float4": (
        torch.tensor([1, 2], dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
        torch.tensor([1, 3], dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
        (
            "value",
            "float4_e2m1fn_x2 (2,)",
            "float4_e2m1fn_x2 (2,)",
            "1 of 2 elements differ, first at [1]: bits 02 became bits 03",
        ),
    ),
    "transposed": (
        torch.tensor([[0.0, 1.0], [2.0, 3.0]]).t(),
        torch.tensor([[0.0, 5.0], [1.0, 3.0]]),
        (
            "value",
            "float32 (2, 2)",
            "float32 (2, 2)",
            "1 of 4 elements differ, first at [0, 1]: 2.0 became 5.0",
        ),
    ),
    "entries of a sparse tensor": (
        torch.tensor([0.0, 1.0]).to_sparse(),
        torch.tensor([1.0, 1.0]).to_sparse(),
        ("value", "int64 (1, 1)", "int64 (1, 2)", "indices"),
    ),
    "values of a sparse tensor": (
        torch.tensor([3.0, 1.0]).to_sparse(),
        torch.tensor([3.0, 2.0]).to_sparse(),
        (
            "value",
            "float32 (2,) sparse_coo",
            "float32 (2,) sparse_coo",
            "in its values: 1 of 2 elements differ, first at [1]: 1.0 became 2.0",
        ),
    ),
    "scale": (make("quantized scale"), make("quantized scale", OTHER), ("value", "(4.0, 2)", "(8.0, 2)", "scale")),
    "part of a wrapper": (
        make("wrapper"),
        make("wrapper", OTHER),
        (
            "value",
            "float32 (1,) TwoTensor",
            "float32 (1,) TwoTensor",
            "in its b: 1 of 1 elements differ, first at [0]: 4.0 became 8.0",
        ),
    ),
    "wrapper and plain": (
        make("wrapper"),
        torch.ones(1),
        ("value", "context, a, b", "data", "made of other parts"),
    ),
    "part of a wrapper that is no tensor": (Placed("cpu", 1), Placed("cpu", 2), ("value", "1", "2", "held")),
    "part of a wrapper that is a tensor after loading": (
        Placed("cpu", None),
        Placed("cpu", torch.ones(3)),
        ("value", "None", "float32 (3,)", "held"),
    ),
    "part of a wrapper that was a tensor": (
        Placed("cpu", torch.ones(3)),
        Placed("cpu", None),
        ("value", "float32 (3,)", "None", "held"),
    ),
    "plain and nested": (torch.ones(3), make("nested"), ("layout", "float32 (3,)", "float32 (nested)", "")),
    "nested and plain": (make("nested"), torch.ones(3), ("layout", "float32 (nested)", "float32 (3,)", "")),
    "nested sizes": (
        torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]),
        torch.nested.nested_tensor([torch.ones(2), torch.ones(1)]),
        ("value", "float32 (1,)", "float32 (2,)", "[0]"),
    ),
    "nested counts": (
        torch.nested.nested_tensor([torch.ones(3)]),
        torch.nested.nested_tensor([torch.ones(2), torch.ones(1)]),
        ("value", "[0]", "[0], [1]", "made of other parts"),
    ),
    "ways to quantize": (
        torch.quantize_per_tensor(torch.ones(2, 3), 0.5, 0, torch.qint8),
        make("quantized channels"),
        (
            "value",
            "qscheme, int_repr, scale",
            "qscheme, int_repr, axis, scales, zero_points",
            "made of other parts",
        ),
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_difference_in_words(name: str) -> None:
    expected, actual, words = WORDS[name]

    found = only(expected, actual)

    assert (found.kind, found.expected, found.actual, found.detail) == words


def test_the_same_nan_is_the_same() -> None:
    assert not compare(nan(5), nan(5))


def test_an_empty_tensor_is_itself() -> None:
    assert not compare(torch.ones(0, 3), torch.zeros(0, 3))


def test_the_order_of_sparse_entries_counts() -> None:
    there = torch.sparse_coo_tensor(torch.tensor([[0, 1]]), torch.tensor([1.0, 2.0]), (2,))
    back = torch.sparse_coo_tensor(torch.tensor([[1, 0]]), torch.tensor([2.0, 1.0]), (2,))

    assert only(there, back).detail.startswith("in its indices: 2 of 2 elements differ")


TRAITS: dict[str, tuple[Callable[[], torch.Tensor], Callable[[], torch.Tensor], tuple[str, str, str]]] = {
    "requires_grad": (
        lambda: nn.Parameter(torch.ones(2)),
        lambda: nn.Parameter(torch.ones(2), requires_grad=False),
        ("requires_grad", "True", "False"),
    ),
    "parameter": (
        lambda: torch.ones(2, requires_grad=True),
        lambda: nn.Parameter(torch.ones(2)),
        ("class", "Tensor", "Parameter"),
    ),
    "subclass": (
        lambda: torch.ones(2).as_subclass(Tagged),
        lambda: torch.ones(2),
        ("class", "Tagged", "Tensor"),
    ),
    "transposed": (
        lambda: torch.ones(2, 3),
        lambda: torch.ones(3, 2).t(),
        ("strides", "(3, 1)", "(1, 2)"),
    ),
    "channels_last": (
        lambda: torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last),
        lambda: torch.ones(2, 3, 4, 5),
        ("strides", "(60, 1, 15, 3)", "(60, 20, 5, 1)"),
    ),
    "expanded": (lambda: torch.ones(2), lambda: torch.ones(1).expand(2), ("strides", "(1,)", "(0,)")),
}


@pytest.mark.parametrize("name", TRAITS)
@pytest.mark.parametrize("swapped", [False, True])
def test_traits_are_compared_only_when_asked_for(name: str, swapped: bool) -> None:
    one, other, (kind, first, second) = TRAITS[name]
    expected, actual = (other(), one()) if swapped else (one(), other())

    found = only(expected, actual, traits=True)

    assert (found.kind, found.expected, found.actual) == (kind, *((second, first) if swapped else (first, second)))
    assert found.tensor
    assert not compare(expected, actual, traits=False)


def test_value_and_traits_are_reported_together() -> None:
    diff = compare(nn.Parameter(torch.ones(2, 2)), torch.zeros(2, 2).t())

    assert [mismatch.kind for mismatch in diff] == ["value", "class", "requires_grad", "strides"]


def test_strides_of_single_elements_say_nothing() -> None:
    assert not compare(torch.ones(1, 3), torch.ones(3, 1).t())
    assert not compare(torch.ones(1, 1), torch.ones(2, 2)[:1, :1])
    assert not compare(torch.ones(4, 1, 3).permute(2, 1, 0), torch.ones(4, 3).t().unsqueeze(1))


def test_strides_of_no_elements_say_nothing() -> None:
    assert not compare(torch.ones(0, 2, 3), torch.ones(0, 3, 2).transpose(1, 2))


def test_another_device_is_a_trait() -> None:
    here, there = Placed("cuda:0"), Placed("cuda:1")

    found = only(here, there, traits=True)

    assert (found.kind, found.path, found.expected, found.actual) == ("device", "w", "cuda:0", "cuda:1")
    assert not compare(here, there, traits=False)
    assert not compare(here, Placed("cuda:0"))


def test_the_default_device_does_not_matter() -> None:
    one, other = torch.ones(2), torch.zeros(2)

    with torch.device("meta"):
        assert only(one, other).detail == "2 of 2 elements differ, first at [0]: 1.0 became 0.0"


def test_a_tensor_compared_with_itself_is_not_read() -> None:
    lazy = nn.UninitializedParameter()

    assert not compare(lazy, lazy)


def test_comparing_does_not_change_what_autograd_knows() -> None:
    weight = nn.Parameter(torch.ones(2))
    result = weight * 2

    compare(result, result.detach().clone())
    result.sum().backward()

    assert weight.grad is not None


def test_differences_are_counted_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_ckpt.comparison.tensors._CHUNK", 2)
    one, other = torch.zeros(3, 3), torch.zeros(3, 3)
    other[1, 1:] = 1
    other[2, 2] = 2

    assert only(one, other).detail == "3 of 9 elements differ, first at [1, 1]: 0.0 became 1.0"


def test_distributed_tensors_are_their_placement_and_their_part() -> None:
    distributed, tensors = pytest.importorskip("torch.distributed"), pytest.importorskip("torch.distributed.tensor")
    distributed.init_process_group("gloo", rank=0, world_size=1, store=distributed.HashStore())
    try:
        mesh = distributed.device_mesh.init_device_mesh("cpu", (1,))
        ones, zeros = (
            tensors.distribute_tensor(torch.full((4,), value), mesh, [tensors.Shard(0)]) for value in (1.0, 0.0)
        )
        copied = tensors.distribute_tensor(torch.ones(4), mesh, [tensors.Replicate()])

        assert not compare(ones, freeze(ones))
        assert only(ones, zeros).detail.startswith("in its local_tensor: 4 of 4 elements differ")
        assert only(ones, copied).detail == "context"
        assert only(ones, torch.ones(4)).detail == "made of other parts"
    finally:
        distributed.destroy_process_group()


def test_many_small_tensors_are_compared_where_they_are() -> None:
    saved = {f"{index}.weight": torch.full((64,), float(index)) for index in range(10_000)}
    loaded = {name: tensor.clone() for name, tensor in saved.items()}
    loaded["9999.weight"][3] = 0.0

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        tracemalloc.start()
        diff = compare(saved, loaded)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert [m.path for m in diff] == ["9999.weight"]
    assert diff.compared == 10_000
    assert peak < 100_000
    assert sum(event.count for event in profile.key_averages()) < 100


BIT_DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.int8, torch.int64, torch.complex64]


@st.composite
def states(draw: st.DrawFn) -> tuple[dict[str, Any], torch.Tensor, str]:
    """A nested state, one of its tensors, and that tensor's path."""
    tensors: list[tuple[torch.Tensor, str]] = []

    def tensor(path: str) -> torch.Tensor:
        dtype = draw(st.sampled_from(BIT_DTYPES))
        shape = draw(st.lists(st.integers(1, 3), max_size=3))
        count = torch.Size(shape).numel() * dtype.itemsize
        raw = torch.frombuffer(bytearray(draw(st.binary(min_size=count, max_size=count))), dtype=torch.uint8)
        made = raw.view(dtype).reshape(shape)
        if draw(st.booleans()) and made.ndim > 1:
            made = made.transpose(0, 1)
        tensors.append((made, path))
        return made

    def node(path: str, depth: int) -> Any:
        kind = draw(st.sampled_from(["tensor", "list", "dict"] if depth < 3 else ["tensor"]))
        if kind == "tensor":
            return tensor(path)
        if kind == "list":
            return [node(f"{path}[{index}]", depth + 1) for index in range(draw(st.integers(0, 3)))]
        return {key: node(f"{path}.{key}", depth + 1) for key in draw(st.sets(st.sampled_from("abc")))}

    state = {"model": node("model", 0), "always": tensor("always")}
    chosen, path = draw(st.sampled_from(tensors))
    return state, chosen, path


@given(states(), st.data())
def test_any_flipped_bit_of_any_tensor_is_found_at_its_path(
    made: tuple[dict[str, Any], torch.Tensor, str], data: st.DataObject
) -> None:
    state, tensor, path = made
    frozen = freeze(state)
    assert not compare(frozen, state)

    raw = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
    position = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[position // 8] ^= 1 << position % 8

    diff = compare(frozen, state)
    assert [(m.path, m.kind) for m in diff] == [(path, "value")]
