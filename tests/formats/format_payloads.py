"""Payloads that a format either brings back bit for bit or refuses with a reason."""

# Longer than 250 lines because it is a list.

from __future__ import annotations

import struct
import warnings
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import nn

PAYLOADS: dict[str, Callable[[], dict[str, Any]]] = {}

DTYPES = [
    "bfloat16",
    "bits16",
    "bits1x8",
    "bits2x4",
    "bits4x2",
    "bits8",
    "bool",
    "complex128",
    "complex32",
    "complex64",
    "float16",
    "float32",
    "float4_e2m1fn_x2",
    "float64",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "int16",
    "int32",
    "int4",
    "int64",
    "int8",
    "uint16",
    "uint32",
    "uint4",
    "uint64",
    "uint8",
]

NAN_WITH_PAYLOAD = struct.unpack("<d", struct.pack("<Q", 0xFFF8_0000_0000_0123))[0]


class Tagged(torch.Tensor):
    """A subclass of Tensor."""


class Custom:
    """An object that only pickle knows what to do with."""

    def __repr__(self) -> str:
        return "Custom()"


class Stubborn:
    """An object that does not want to be pickled."""

    def __reduce__(self) -> str:
        raise TypeError("<socket at 0x7f0102> has no state\nand more lines")


def payload(make: Callable[[], Any]) -> Callable[[], Any]:
    """Add what a function makes to the payloads, as ``part.value`` under the function's name."""

    def quiet() -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch calls sparse and quantized tensors experimental
            return {"part": {"value": make()}}

    PAYLOADS[make.__name__] = quiet
    return make


def bits(dtype: torch.dtype) -> torch.Tensor:
    content = torch.arange(1, 33, dtype=torch.uint8)
    return (content % 2 if dtype is torch.bool else content).view(dtype)


@cache  # nothing may change what it is given, so once is enough
def train() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(3)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1, bias=False))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 2, 2])
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(4, 3, generator=generator)).square().sum().backward()
        optimizer.step()
        scheduler.step()
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler}


def state_dicts() -> dict[str, Any]:
    return {name: part.state_dict() for name, part in train().items()}


def matrix() -> torch.Tensor:
    return torch.arange(12.0).reshape(3, 4)


def payload_of_bits(dtype: torch.dtype) -> dict[str, Any]:
    return {"part": {"value": bits(dtype)}}


PAYLOADS |= {name: partial(payload_of_bits, getattr(torch, name)) for name in DTYPES}
PAYLOADS["state_dicts"] = state_dicts


@payload
def zero_dimensional() -> Any:
    return torch.tensor(-0.0)


@payload
def zero_sized() -> Any:
    return [torch.empty(0, 3), torch.empty(2, 0, dtype=torch.int8)]


@payload
def transposed() -> Any:
    return matrix().t()


@payload
def sliced() -> Any:
    return matrix()[1:, ::2]


@payload
def expanded() -> Any:
    return torch.tensor([[7.0]]).expand(3, 4)


@payload
def channels_last() -> Any:
    return torch.arange(48.0).reshape(2, 3, 2, 4).contiguous(memory_format=torch.channels_last)


@payload
def odd_floats() -> Any:
    patterns = [0x7FC00001, 0xFFC00000, 0x7F800001, 0x80000000, 0x00000001, 0x7F800000]
    return torch.tensor(patterns, dtype=torch.int64).to(torch.int32).view(torch.float32)


@payload
def tied() -> Any:
    weight = nn.Parameter(matrix())
    return {"encoder": weight, "decoder": weight, "detached": weight.detach()}


@payload
def overlapping_views() -> Any:
    base = matrix()
    return [base, base[1], base.flatten()[3:7]]


@payload
def two_dtypes_on_one_storage() -> Any:
    return {"floats": (base := torch.ones(4)), "integers": base.view(torch.int32)}


@payload
def untyped_dtypes_on_one_storage() -> Any:
    base = torch.ones(4, dtype=torch.uint8)
    return [base.view(torch.float8_e5m2), base.view(torch.uint16)]


@payload
def parameters() -> Any:
    return [nn.Parameter(matrix()), nn.Parameter(matrix(), requires_grad=False), matrix().requires_grad_()]


@payload
def conjugate_view() -> Any:
    return torch.complex(matrix(), matrix() + 1).conj()


@payload
def negative_view() -> Any:
    return torch.complex(matrix(), matrix() + 1).conj().imag


@payload
def sparse_coo() -> Any:
    return torch.sparse_coo_tensor(torch.tensor([[0, 0, 2], [1, 1, 0]]), torch.ones(3), (3, 3))


@payload
def sparse_csr() -> Any:
    return matrix().to_sparse_csr()


@payload
def sparse_csc() -> Any:
    return matrix().to_sparse_csc()


@payload
def sparse_bsr() -> Any:
    return torch.ones(4, 4).to_sparse_bsr((2, 2))


@payload
def quantized() -> Any:
    return torch.quantize_per_tensor(matrix(), 0.1, 3, torch.quint8)


@payload
def quantized_per_channel() -> Any:
    scales, zero_points = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0, 1, 2])
    return torch.quantize_per_channel(matrix(), scales, zero_points, 0, torch.qint8)


@payload
def meta() -> Any:
    return torch.empty(2, 3, device="meta")


@payload
def nested_tensor() -> Any:
    return torch.nested.nested_tensor([torch.ones(2), torch.zeros(3)])


@payload
def subclass() -> Any:
    return matrix().as_subclass(Tagged)


@payload
def uninitialized() -> Any:
    return [matrix(), nn.UninitializedParameter()]


@payload
def containers() -> Any:
    ordered = OrderedDict([("b", 1), ("a", [])])
    ordered.note = "kept"  # type: ignore[attr-defined]
    return {
        1: (True, 1, 1.0, None, [], (), {}),
        "1": [(matrix(), [matrix()])],
        (1, "x"): {None: False, 2.5: "half", b"k": ordered},
        torch.float16: Counter("aab"),
    }


@payload
def names_that_look_alike() -> Any:
    one, two = torch.tensor(1), torch.tensor(2)
    return [{"a.b": one, "a": {"b": two}}, {"a": {"b": one}, "a.b": two}, {0: one, "0": two, "": two}]


@payload
def scalars() -> Any:
    return [0.1, -0.0, 5e-324, float("inf"), -float("inf"), 2**62, -(2**62), "ü\n\0\x1a\\", "\ud800", ""]


@payload
def nan_with_payload() -> Any:
    return [float("nan"), NAN_WITH_PAYLOAD]


@payload
def complex_numbers() -> Any:
    return [1 + 2j, complex(-0.0, float("inf"))]


@payload
def complex_nan() -> Any:
    return complex(-0.0, NAN_WITH_PAYLOAD)


@payload
def large_integers() -> Any:
    return [2**63, -(2**2000)]


@payload
def huge_integer() -> Any:
    return 7**20_000


@payload
def raw_bytes() -> Any:
    return bytes(range(256))


@payload
def empty_bytes() -> Any:
    return b""


@payload
def torch_values() -> Any:
    return [torch.float32, torch.float8_e5m2, torch.Size([2, 3]), torch.device("cuda:1"), torch.strided]


@payload
def numpy_array() -> Any:
    return np.arange(3)


@payload
def numpy_scalar() -> Any:
    return {"best": np.float64(0.5)}


@payload
def a_set() -> Any:
    return {1}


@payload
def a_default_dictionary() -> Any:
    return defaultdict(list, {"a": [1]})


@payload
def a_custom_object() -> Any:
    return Custom()


@payload
def an_object_as_key() -> Any:
    return {frozenset({1}): 1}


@payload
def a_storage() -> Any:
    return torch.ones(2).untyped_storage()


@payload
def a_lambda() -> Any:
    return lambda number: number + 1


def contains_itself() -> dict[str, Any]:
    loop: list[Any] = [1]
    loop.append(loop)
    return {"part": {"value": loop}}
