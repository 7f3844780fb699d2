"""Tensors of every layout, dtype and class, each in two versions that differ in one element."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.testing._internal.two_tensor import TwoTensor


class Tagged(torch.Tensor):
    """A subclass with storage of its own."""


class Placed(torch.Tensor):
    """Says that it is on a device, which need not be there; what it holds is on the CPU, or no tensor at all."""

    held: Any

    @staticmethod
    def __new__(cls, device: str, held: Any = None) -> Placed:
        made: Placed = torch.Tensor._make_wrapper_subclass(cls, (2,), device=torch.device(device))
        made.held = held
        return made

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["held"], None

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        assert operation is torch.ops.aten.detach.default
        return args[0]


def _dense(last: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, last]]).to(dtype)


def _bits(last: float, dtype: torch.dtype) -> torch.Tensor:
    return torch.tensor([[1, 2], [3, int(last)]], dtype=torch.uint8).repeat(1, 16).view(dtype)


def _nested(last: float, layout: torch.layout) -> torch.Tensor:
    return torch.nested.nested_tensor([torch.ones(2), torch.tensor([last])], layout=layout)


def _per_channel(last: float) -> torch.Tensor:
    return torch.quantize_per_channel(_dense(last), torch.tensor([0.5, 0.25]), torch.tensor([0, 1]), 0, torch.qint8)


def _zero_points(last: float) -> torch.Tensor:
    scales = torch.tensor([0.5, last])
    return torch.quantize_per_channel(torch.zeros(2, 3), scales, torch.tensor([0, 1]), 0, torch.qint8)


_DTYPES = (
    "float16 bfloat16 float32 float64 complex64 complex128 complex32 int8 int16 int32 int64 uint8 uint16 uint32 uint64"
)
_BYTE_DTYPES = "float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2 bits8 bits16"

_MAKERS: dict[str, Callable[[float], torch.Tensor]] = {
    **{name: partial(_dense, dtype=getattr(torch, name)) for name in _DTYPES.split()},
    **{name: partial(_bits, dtype=getattr(torch, name)) for name in _BYTE_DTYPES.split()},
    "bool": lambda last: torch.tensor([True, last > 4]),
    "scalar": lambda last: torch.tensor(last),
    "parameter": lambda last: nn.Parameter(_dense(last)),
    "transposed": lambda last: _dense(last).t(),
    "every other": lambda last: _dense(last)[:, ::2],
    "expanded": lambda last: torch.tensor([last]).expand(2, 3),
    "channels_last": lambda last: _dense(last).reshape(1, 3, 2, 1).to(memory_format=torch.channels_last),
    "conj": lambda last: torch.tensor([1 + 1j * last]).conj(),
    "neg": lambda last: torch.tensor([1 + 1j * last]).conj().imag,
    "coo": lambda last: _dense(last).to_sparse(),
    "coo hybrid": lambda last: _dense(last).to_sparse(1),
    "coo uncoalesced": lambda last: torch.sparse_coo_tensor(torch.tensor([[0, 0]]), torch.tensor([1.0, last]), (2,)),
    "csr": lambda last: _dense(last).to_sparse_csr(),
    "csc": lambda last: _dense(last).to_sparse_csc(),
    "bsr": lambda last: _dense(last).to_sparse_bsr((1, 3)),
    "bsc": lambda last: _dense(last).to_sparse_bsc((2, 1)),
    "quantized": lambda last: torch.quantize_per_tensor(_dense(last), 0.5, 2, torch.quint8),
    "quantized scale": lambda last: torch.quantize_per_tensor(torch.zeros(2), last, 2, torch.qint32),
    "quantized channels": _per_channel,
    "quantized channel scale": _zero_points,
    "nested": lambda last: _nested(last, torch.strided),
    "jagged": lambda last: _nested(last, torch.jagged),
    "subclass": lambda last: _dense(last).as_subclass(Tagged),
    "wrapper": lambda last: TwoTensor(torch.ones(1), torch.tensor([last])),
    "wrapper in parameter": lambda last: nn.Parameter(TwoTensor(torch.ones(1), torch.tensor([last]))),
    "view with offset": lambda last: torch.tensor([0.0, 1.0, last])[1:],
}
KINDS = tuple(_MAKERS)
ONE, OTHER = 4.0, 8.0


def make(kind: str, last: float = ONE) -> torch.Tensor:
    """Make a tensor of a kind; quietly, as torch calls some kinds experimental or deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _MAKERS[kind](last)
