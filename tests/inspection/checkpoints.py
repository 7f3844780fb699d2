"""Payloads and ways to write them, as many as there are: what inspection has to agree with torch about."""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import enum
import fractions
import pathlib
import pickle
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import dill
import numpy as np
import torch

__all__ = ["PAYLOADS", "WRITERS", "Colour", "MyTensor", "TwoTensors", "train"]


class Colour(enum.Enum):
    RED = 1


class MyTensor(torch.Tensor):
    """A subclass without tensors of its own."""


class TwoTensors:
    def __init__(self) -> None:
        self.one, self.other = torch.ones(2), torch.arange(3)


class Slotted:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = torch.ones(2)


def every_dtype() -> Iterator[tuple[str, torch.Tensor]]:
    names = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64"
    names += " complex128"
    for name in names.split():
        dtype = getattr(torch, name)
        data = torch.arange(96, dtype=torch.uint8) % 2 if name == "bool" else torch.arange(96, dtype=torch.uint8)
        yield name, data.view(dtype).reshape(2, -1)


def new_dtypes() -> Iterator[tuple[str, torch.Tensor]]:
    """Those that torch writes without a storage class of their own, which only its zip archives can read."""
    names = "uint16 uint32 uint64 complex32 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz"
    for name in names.split():
        yield name, torch.arange(96, dtype=torch.uint8).view(getattr(torch, name)).reshape(2, -1)


def train(steps: int = 2) -> dict[str, Any]:
    """A model, an optimizer and a scheduler after some training, as programs save them."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    optimizer = torch.optim.AdamW(model.parameters(), amsgrad=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
        scheduler.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    return {**state, "rng": torch.get_rng_state(), "epoch": 3, "best": float("nan")}


def views() -> dict[str, torch.Tensor]:
    base = torch.arange(120, dtype=torch.float32).reshape(2, 3, 4, 5)
    z = torch.arange(24.0).reshape(4, 6) * (1 + 2j)
    return {
        "base": base,
        "transposed": base.transpose(1, 3),
        "strided": base[1, ::2, 1:, ::3],
        "expanded": base[0, 0, :1].expand(4, 5),
        "channels last": base.to(memory_format=torch.channels_last),
        "conj": z.conj(),
        "conj of a view": z.T[1:].conj(),
        "imag of conj": z.clone().conj().imag,
        "real": z.clone().real,
        "double": (torch.arange(12.0, dtype=torch.float64) * 1j).reshape(3, 4).T,
        "scalar": base[1, 2, 3, 4],
        "empty": base[:0],
        "empty in the middle": torch.empty(3, 0, 2).transpose(0, 2),
        "long": torch.arange(3 << 10, dtype=torch.int16).view(3, -1).T,
    }


def quantized() -> dict[str, Any]:
    data = torch.arange(12.0).reshape(3, 4)
    scales, zeros = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0, 1, 2])
    return {
        "per tensor": torch.quantize_per_tensor(data, 0.5, 3, torch.quint8),
        "per channel": torch.quantize_per_channel(data, scales, zeros, 0, torch.qint8),
    }


def sparse() -> dict[str, Any]:
    dense = torch.tensor([[0.0, 1.0, 0.0, 2.0], [0.0, 0.0, 3.0, 0.0]])
    return {
        "coo": dense.to_sparse(),
        "uncoalesced": torch.sparse_coo_tensor(torch.tensor([[0, 0], [1, 1]]), torch.tensor([1.0, 2.0]), (2, 2)),
        "csr": dense.to_sparse_csr(),
        "csc": dense.to_sparse_csc(),
        "bsr": dense.to_sparse_bsr((1, 2)),
    }


def arrays() -> dict[str, Any]:
    table = np.array([(1, 2.5, "ab"), (3, 4.5, "cd")], dtype=[("a", "<i4"), ("b", ">f8"), ("c", "U2")])
    return {
        "c": np.arange(12.0).reshape(3, 4),
        "f": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "view": np.arange(12)[::3],
        "big endian": np.arange(3, dtype=">i8"),
        "table": table,
        "objects": np.array([1, "a", None], dtype=object),
        "scalar": np.float64(1.5),
        "0-d": np.array(3),
        "bool": np.array([True, False]),
        "time": np.array(["2020-01-01"], dtype="datetime64[D]"),
        "text": np.array(["abc", "d"]),
        "random state": np.random.RandomState(0).get_state(),
        "generator": np.random.default_rng(0).bit_generator.state,
    }


def plain() -> dict[str, Any]:
    shared = [1, 2]
    return {
        "numbers": [0, -1, 1 << 70, -(1 << 70), 255, 65536, True, False, None, 1.5, -0.0, float("inf"), 1 + 2j],
        "texts": ["", "ä€𝄞", "a\nb\\", "x" * 300, b"", b"\x00\xff\x80", bytearray(b"ab")],
        "sets": [{1, 2}, frozenset({"a"}), set(), ()],
        "tuples": [(1,), (1, 2), (1, 2, 3), tuple(range(20)), torch.Size([2, 3])],
        "keys": {1: "a", (1, 2): "b", None: "c", 1.5: "d", "1": "e"},
        "ordered": collections.OrderedDict(b=1, a=2),
        "counted": collections.Counter("abca"),
        "default": collections.defaultdict(list, {"a": [1]}),
        "twice": [shared, shared],
        "classes": [torch.nn.Linear, torch.float32, torch.device("cpu"), torch.relu, int],
        "known": [datetime.datetime(2020, 1, 1), pathlib.PurePosixPath("a/b"), uuid.UUID(int=3), range(3), slice(1, 2)],
        "more": [decimal.Decimal("1.5"), fractions.Fraction(1, 3), argparse.Namespace(lr=0.1), collections.deque([1])],
        "enum": Colour.RED,
        "partial": partial(int, base=2),
    }


def subclasses() -> dict[str, Any]:
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.note = "kept"  # type: ignore[attr-defined]
    return {
        "own": torch.arange(4.0).as_subclass(MyTensor),
        "parameter": torch.nn.Parameter(torch.ones(2, dtype=torch.float64), requires_grad=False),
        "with attribute": parameter,
        "buffer": torch.nn.Buffer(torch.ones(2)),
        "lazy": torch.ones(1),
        "meta": torch.empty(2, 3, device="meta"),
        "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
        "needs grad": torch.ones(2, requires_grad=True),
    }


PAYLOADS: dict[str, Callable[[], Any]] = {
    "trained": train,
    "bare tensor": lambda: torch.arange(5.0),
    "bare number": lambda: 3,
    "dtypes": lambda: dict(every_dtype()),
    "new dtypes": lambda: dict(new_dtypes()),
    "views": views,
    "quantized": quantized,
    "sparse": sparse,
    "arrays": arrays,
    "plain": plain,
    "subclasses": subclasses,
    "whole model": lambda: torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.TransformerEncoderLayer(4, 2, 8)),
    "objects": lambda: [TwoTensors(), TwoTensors()],
    "storages": lambda: {"storage": torch.arange(3)._typed_storage(), "one": torch.ones(3)},
}


def _pickle(protocol: int) -> Callable[[Any, Path], object]:
    return lambda payload, path: path.write_bytes(pickle.dumps(payload, protocol=protocol))


def _torch(**options: Any) -> Callable[[Any, Path], None]:
    return lambda payload, path: torch.save(payload, path, **options)


WRITERS: dict[str, Callable[[Any, Path], object]] = {
    "zip": _torch(),
    "zip, protocol 5": _torch(pickle_protocol=5),
    "legacy": _torch(_use_new_zipfile_serialization=False),
    "legacy, protocol 1": _torch(_use_new_zipfile_serialization=False, pickle_protocol=1),
    **{f"pickle {protocol}": _pickle(protocol) for protocol in (0, 2, 4, 5)},
    "dill": lambda payload, path: path.write_bytes(dill.dumps(payload)),
    "cloudpickle": lambda payload, path: path.write_bytes(cloudpickle.dumps(payload)),
}
