"""The trial itself, with formats that spoil one thing."""

from __future__ import annotations

import copy
from collections import deque
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from format_payloads import PAYLOADS, Tagged

from pytest_ckpt.formats.trial import reason_to_refuse


class Other(torch.Tensor):
    """Another subclass of Tensor."""


def refuse(value: object, spoil: Any) -> str | None:
    def copy(values: list[Any]) -> list[Any]:
        return [spoil(value) for value in values]

    return reason_to_refuse({"part": {"value": value}}, name="spoiling", copy=copy)


@pytest.mark.parametrize(
    ("value", "spoil", "words"),
    [
        (torch.ones(2), lambda tensor: tensor.double(), "torch.float32"),
        (torch.ones(2), lambda tensor: tensor + 1, "torch.float32"),
        (PAYLOADS["sparse_coo"]()["part"]["value"], lambda tensor: tensor.double(), "the sparse COO tensor"),
        (
            torch.ones(2).as_subclass(Tagged),
            lambda tensor: tensor.as_subclass(Other),
            "format_payloads.Tagged",
        ),
        (1 + 2j, lambda number: number.conjugate(), "complex"),
        (2**64, float, "an integer of 65 bits"),
        (b"1", bytearray, "bytes"),
        (np.float64(0.1), np.float32, "numpy.float64"),
    ],
)
def test_a_value_that_comes_back_as_another_is_refused(value: object, spoil: Any, words: str) -> None:
    assert refuse(value, spoil) == f"spoiling cannot keep {words} at part.value"
    assert refuse(value, lambda value: value) is None


def test_another_layout_is_another_value() -> None:
    value = PAYLOADS["sparse_csr"]()["part"]["value"]
    csc = PAYLOADS["sparse_csc"]()["part"]["value"]

    assert refuse(value, lambda tensor: csc) == "spoiling cannot keep the sparse CSR tensor at part.value"


def test_a_format_that_cannot_read_what_requires_gradients_says_that_this_is_why() -> None:
    def spoil(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.double() if tensor.requires_grad and type(tensor) is torch.Tensor else tensor

    weights = torch.ones(2, requires_grad=True)

    assert refuse(weights, spoil) == "spoiling cannot keep torch.float32 that requires gradients at part.value"
    assert refuse(torch.nn.Parameter(weights), spoil) is None
    assert refuse(weights.detach(), spoil) is None


def test_sparse_weights_that_no_longer_require_gradients_are_refused() -> None:
    value = PAYLOADS["sparse_coo"]()["part"]["value"].requires_grad_()

    reason = refuse(value, lambda tensor: tensor.detach())

    assert reason == "spoiling cannot keep the sparse COO tensor that requires gradients at part.value"


def test_what_is_lost_inside_an_object_is_seen() -> None:
    class Pair(NamedTuple):
        first: torch.Tensor

    sparse = PAYLOADS["sparse_coo"]()["part"]["value"].requires_grad_()
    holders = [Pair(sparse), SimpleNamespace(x=sparse), deque([sparse]), SimpleNamespace(x={"y": [sparse]})]

    def spoil(values: list[Any]) -> list[Any]:
        return copy.deepcopy(values, {id(sparse): sparse.detach()})

    for holder in holders:
        assert "cannot keep" in str(reason_to_refuse({"part": holder}, name="spoiling", copy=spoil))
        assert reason_to_refuse({"part": holder}, name="keeping", copy=lambda values: values) is None


def test_an_object_that_is_copied_in_its_own_way_is_not_looked_into() -> None:
    class Cached:
        def __init__(self) -> None:
            self.cache = {1: torch.ones(1)}

        def __getstate__(self) -> dict[str, Any]:
            return {"cache": {}}

    assert reason_to_refuse({"part": Cached()}, name="cloning", copy=copy.deepcopy) is None


def test_an_object_that_holds_itself_is_looked_into_once() -> None:
    one = SimpleNamespace(value=1)
    one.itself = one

    assert reason_to_refuse({"part": one}, name="cloning", copy=copy.deepcopy) is None


def test_ordinary_tensors_are_tried_once_per_dtype_and_plain_values_never() -> None:
    tried: list[Any] = []

    def copy(values: list[Any]) -> list[Any]:
        tried.extend(values)
        return values

    many = {"tensors": [torch.ones(1000) for _ in range(10)], "plain": [1, 0.5, "text", None, True]}

    assert reason_to_refuse(many, name="counting", copy=copy) is None
    assert [(value.dtype, value.nbytes) for value in tried] == [(torch.float32, 16)]


def test_thousands_of_values_are_tried_at_once() -> None:
    calls = 0

    def copy(values: list[Any]) -> list[Any]:
        nonlocal calls
        calls += 1
        return values

    assert reason_to_refuse({"losses": [np.float64(1)] * 5000}, name="counting", copy=copy) is None
    assert calls == 1
