"""Tensors of every kind as plain dense parts, as a few words, and as copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from pytest_ckpt.state.tensors import dense_parts, describe_tensor, freeze_tensor, is_initialized

pytestmark = [
    # torch calls these layouts experimental, or on their way out.
    pytest.mark.filterwarnings("ignore:.*(Sparse|quantize|nested tensors|TypedStorage):UserWarning"),
]


class Tagged(torch.Tensor):
    """A subclass with storage of its own."""


def matrix() -> torch.Tensor:
    return torch.tensor([[0.0, 2.0], [3.0, 0.0]])


def coo() -> torch.Tensor:
    return torch.sparse_coo_tensor(torch.tensor([[1, 0, 1], [0, 1, 0]]), torch.tensor([1.0, 2.0, 2.0]), (2, 2))


def per_tensor() -> torch.Tensor:
    return torch.quantize_per_tensor(matrix(), 0.5, 1, torch.qint8)


def per_channel() -> torch.Tensor:
    scales, zeros = torch.tensor([0.5, 1.0]), torch.tensor([0, 1])
    return torch.quantize_per_channel(matrix(), scales, zeros, 1, torch.quint8)


def nested(layout: torch.layout) -> torch.Tensor:
    return torch.nested.nested_tensor([torch.ones(1), torch.zeros(2)], layout=layout)


def two() -> torch.Tensor:
    from torch.testing._internal.two_tensor import TwoTensor

    made: torch.Tensor = TwoTensor(torch.ones(1), torch.zeros(1))
    return made


PARTS: dict[str, tuple[Callable[[], torch.Tensor], dict[str, Any]]] = {
    "dense": (matrix, {"": [[0, 2], [3, 0]]}),
    "transposed": (lambda: matrix().t(), {"": [[0, 3], [2, 0]]}),
    "expanded": (lambda: torch.ones(1).expand(3), {"": [1, 1, 1]}),
    "scalar": (lambda: torch.tensor(3), {"": 3}),
    "empty": (lambda: torch.ones(0, 2), {"": []}),
    "conjugate": (lambda: torch.tensor([1 + 2j]).conj(), {"": [1 - 2j]}),
    "negative bit": (lambda: torch.tensor([1 + 2j]).conj().imag, {"": [-2]}),
    "parameter": (lambda: nn.Parameter(matrix()), {"": [[0, 2], [3, 0]]}),
    "subclass": (lambda: matrix().as_subclass(Tagged), {"": [[0, 2], [3, 0]]}),
    "coo": (coo, {".indices": [[1, 0, 1], [0, 1, 0]], ".values": [1, 2, 2]}),
    "csr": (
        lambda: matrix().to_sparse_csr(),
        {".crow_indices": [0, 1, 2], ".col_indices": [1, 0], ".values": [2, 3]},
    ),
    "csc": (
        lambda: matrix().to_sparse_csc(),
        {".ccol_indices": [0, 1, 2], ".row_indices": [1, 0], ".values": [3, 2]},
    ),
    "bsr": (
        lambda: matrix().to_sparse_bsr((1, 2)),
        {".crow_indices": [0, 1, 2], ".col_indices": [0, 0], ".values": [[[0, 2]], [[3, 0]]]},
    ),
    "bsc": (
        lambda: matrix().to_sparse_bsc((2, 1)),
        {".ccol_indices": [0, 1, 2], ".row_indices": [0, 0], ".values": [[[0], [3]], [[2], [0]]]},
    ),
    "quantized": (
        per_tensor,
        {".qscheme": "torch.per_tensor_affine", ".int_repr": [[1, 5], [7, 1]], ".scale": "(0.5, 1)"},
    ),
    "quantized by channel": (
        per_channel,
        {
            ".qscheme": "torch.per_channel_affine",
            ".int_repr": [[0, 3], [6, 1]],
            ".axis": "1",
            ".scales": [0.5, 1],
            ".zero_points": [0, 1],
        },
    ),
    "nested": (lambda: nested(torch.strided), {"[0]": [1], "[1]": [0, 0]}),
    "meta": (lambda: torch.ones(2, device="meta"), {".meta": "(2,)"}),
    "lazy": (nn.UninitializedParameter, {".class": "UninitializedParameter"}),
    "wrapper": (two, {".context": "TwoTensor None", ".a": [1], ".b": [0]}),
}


@pytest.mark.parametrize("kind", PARTS)
def test_a_tensor_is_made_of_plain_parts(kind: str) -> None:
    make, expected = PARTS[kind]

    parts = dict(dense_parts(make()))

    shown = {name: part if isinstance(part, str) else part.tolist() for name, part in parts.items()}
    assert shown == expected
    for part in parts.values():
        if isinstance(part, torch.Tensor):
            assert part.is_contiguous()
            assert (part.requires_grad, part.is_conj(), part.is_neg()) == (False, False, False)


def test_a_jagged_tensor_is_made_of_values_and_offsets() -> None:
    parts = dict(dense_parts(nested(torch.jagged).requires_grad_()))

    assert parts[".context"] == "NestedTensor {'requires_grad': False, 'ragged_idx': 1}"
    assert {k: v.tolist() for k, v in parts.items() if isinstance(v, torch.Tensor) and v.numel()} == {
        ".values": [1, 0, 0],
        ".offsets": [0, 1, 3],
    }


DESCRIPTIONS: dict[str, Callable[[], torch.Tensor]] = {
    "float32 (2, 2)": matrix,
    "int64 ()": lambda: torch.tensor(3),
    "float32 (2, 2) ": lambda: nn.Parameter(matrix()),
    "float32 (2, 2) Tagged": lambda: matrix().as_subclass(Tagged),
    "float32 (2, 2) sparse_coo": coo,
    "qint8 (2, 2)": per_tensor,
    "float32 (nested)": lambda: nested(torch.strided),
    "float32 (nested) jagged NestedTensor": lambda: nested(torch.jagged),
    "float32 (1,) TwoTensor": two,
    "float32 (2,) on meta (no data)": lambda: torch.ones(2, device="meta"),
    "an uninitialized lazy parameter": nn.UninitializedParameter,
}


@pytest.mark.parametrize("text", DESCRIPTIONS)
def test_a_tensor_in_a_few_words(text: str) -> None:
    assert describe_tensor(DESCRIPTIONS[text]()) == text.strip()


def test_what_has_data() -> None:
    assert is_initialized(torch.ones(0))
    assert not is_initialized(torch.ones(1, device="meta"))
    assert not is_initialized(nn.LazyLinear(1).weight)


def test_a_copy_is_detached_and_shares_nothing() -> None:
    parameter = nn.Parameter(matrix())

    frozen = freeze_tensor(parameter)
    with torch.no_grad():
        parameter.zero_()

    assert type(frozen) is torch.Tensor
    assert not frozen.requires_grad
    assert torch.equal(frozen, matrix())


def test_a_copy_of_a_result_of_autograd_keeps_no_graph() -> None:
    frozen = freeze_tensor(nn.Parameter(matrix()) * 2)

    assert frozen.grad_fn is None


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format], ids=str)
def test_a_copy_keeps_the_memory_format(memory_format: torch.memory_format) -> None:
    images = torch.ones(2, 3, 4, 5).to(memory_format=memory_format)

    assert freeze_tensor(images).stride() == images.stride()
    assert freeze_tensor(nn.Parameter(images)).stride() == images.stride()


@pytest.mark.parametrize("kind", PARTS.keys() - {"lazy"})
def test_a_copy_keeps_dtype_layout_and_class(kind: str) -> None:
    tensor = PARTS[kind][0]()

    frozen = freeze_tensor(tensor)

    assert (frozen.dtype, frozen.layout, frozen.is_quantized) == (tensor.dtype, tensor.layout, tensor.is_quantized)
    assert type(frozen) is (torch.Tensor if type(tensor) is nn.Parameter else type(tensor))


def freed() -> torch.Tensor:
    tensor = torch.ones(2, 3)
    tensor.untyped_storage().resize_(0)
    return tensor


def test_a_tensor_whose_memory_was_given_back_is_not_read() -> None:
    frozen = freeze_tensor(freed())

    assert not is_initialized(freed())
    assert (frozen.device.type, frozen.dtype, frozen.shape) == ("meta", torch.float32, (2, 3))
    assert list(dense_parts(freed())) == list(dense_parts(frozen)) == [(".meta", "(2, 3)")]
    assert describe_tensor(freed()) == "float32 (2, 3) without memory"


def test_a_tensor_without_elements_needs_no_memory() -> None:
    assert is_initialized(torch.ones(0, 2))
    assert freeze_tensor(torch.ones(0, 2)).device.type == "cpu"
