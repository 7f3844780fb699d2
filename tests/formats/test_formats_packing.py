"""Nested payloads as text and flat tensors."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
import pytest
import torch
from format_exactness import NOTHING, picture
from format_payloads import PAYLOADS, Custom

from pytest_ckpt.formats.packing import STRUCTURE, pack, unpack

PACKABLE = [
    "state_dicts",
    "containers",
    "names_that_look_alike",
    "scalars",
    "nan_with_payload",
    "complex_numbers",
    "complex_nan",
    "large_integers",
    "huge_integer",
    "raw_bytes",
    "empty_bytes",
    "torch_values",
    "tied",
]


@pytest.mark.parametrize("made", PACKABLE)
def test_what_is_packed_is_unpacked_bit_for_bit(made: str) -> None:
    payload = PAYLOADS[made]()

    text, tensors = pack(payload)

    assert picture(unpack(text, tensors), ~NOTHING) == picture(payload, ~NOTHING)
    assert text.isascii()
    json.loads(text, parse_constant=pytest.fail)  # NaN and Infinity are not JSON


def test_tensors_are_named_by_their_paths() -> None:
    ones = [torch.ones(1) for _ in range(5)]
    payload = {
        "model": {"fc.weight": ones[0], "fc": {"weight": ones[1]}},
        "optimizer": {"state": {0: {"step": ones[2]}}},
        "\ud800": ones[3],
        "__metadata__": ones[4],
        STRUCTURE: ones[0],
    }

    _, tensors = pack(payload)

    assert list(tensors) == [
        "model.fc.weight",
        "model.fc.weight#2",
        "optimizer.state[0].step",
        "\\ud800",
        "__metadata__#2",
        f"{STRUCTURE}#2",
    ]


def test_the_text_can_be_read() -> None:
    text, _ = pack({"model": {"w": torch.ones(1)}, "epoch": 3, "betas": (0.9, float("inf"))})

    assert json.loads(text) == {
        "dict": [
            [
                ["model", {"dict": [[["w", {"tensor": "model.w"}]], {}]}],
                ["epoch", 3],
                ["betas", {"tuple": [0.9, {"float": "7ff0000000000000"}]}],
            ],
            {},
        ]
    }


def test_what_cannot_be_packed_is_named_with_its_path() -> None:
    with pytest.raises(TypeError, match=r"^cannot pack Custom at extra\.order\[1\]$"):
        pack({"extra": {"order": [0, Custom()]}})


class Loud(str):
    """A string that is more than its characters."""

    __slots__ = ()


@pytest.mark.parametrize("value", [np.float64(0.5), Loud("a"), defaultdict(int), {1}])
def test_a_subclass_of_something_packable_is_not_packable(value: object) -> None:
    with pytest.raises(TypeError, match=rf"^cannot pack {type(value).__qualname__} at value$"):
        pack({"value": value})
