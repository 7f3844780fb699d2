"""Checkpoints as ``.npz``: numpy arrays and a text, which other programs read without torch and without pickle.

Arrays are named by their place, such as ``model/1.weight``. The text is JSON and says how to put everything
together again. JSON has no tuples, and its objects have no integers as keys, so both are spelled out in it.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

STRUCTURE = "structure.json"
DTYPES = (
    *(torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
)


class CannotWriteError(ValueError):
    """There is something in the state that this format has no way to write."""


def save(state: dict[str, Any], path: Path) -> None:
    arrays: dict[str, Any] = {}
    text = json.dumps(encode(state, "", arrays))
    with path.open("wb") as file:  # given a name, numpy appends .npz to it
        np.savez(file, allow_pickle=False, **arrays, **{STRUCTURE: np.array(text)})


def load(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as arrays:
        state: dict[str, Any] = decode(json.loads(str(arrays[STRUCTURE])), arrays)
        return state


def reason_to_refuse(state: dict[str, Any]) -> str | None:
    """Say in one sentence why a state cannot be written; ``None`` if it can."""
    try:
        encode(state, "", {})
    except CannotWriteError as error:
        return str(error)
    return None


def encode(value: Any, place: str, arrays: dict[str, Any]) -> Any:
    """Return what JSON can say of a value, and put its tensors into ``arrays``."""
    if isinstance(value, Tensor):
        arrays[place] = to_array(value, place)
        return {"array": place}
    if type(value) in (bool, int, float, str, type(None)):
        return value
    if type(value) is list:
        return [encode(item, f"{place}/{index}", arrays) for index, item in enumerate(value)]
    if type(value) is tuple:
        return {"tuple": encode(list(value), place, arrays)}
    if type(value) in (dict, OrderedDict):
        pairs = [(key, encode(item, name_of(key, place, arrays), arrays)) for key, item in value.items()]
        return {"dict": pairs, "metadata": getattr(value, "_metadata", None)}
    raise CannotWriteError(f"npz cannot write {type(value).__qualname__} at {place}")


def name_of(key: Any, place: str, arrays: dict[str, Any]) -> str:
    name = f"{place}/{key}".removeprefix("/")
    if type(key) not in (str, int):
        raise CannotWriteError(f"npz cannot write a key of type {type(key).__qualname__} at {place}")
    if name in (*arrays, STRUCTURE, "file", "allow_pickle"):
        raise CannotWriteError(f"npz cannot write another array called {name}")
    return name


def to_array(tensor: Tensor, place: str) -> Any:
    if type(tensor) not in (Tensor, torch.nn.Parameter) or tensor.layout is not torch.strided:
        raise CannotWriteError(f"npz cannot write {type(tensor).__qualname__} ({tensor.layout}) at {place}")
    if tensor.dtype not in DTYPES:
        raise CannotWriteError(f"npz cannot write {tensor.dtype} at {place}, which numpy does not know")
    return tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().numpy()


def decode(node: Any, arrays: Any) -> Any:
    """Return the value that ``encode`` was given."""
    if isinstance(node, list):
        return [decode(item, arrays) for item in node]
    if not isinstance(node, dict):
        return node
    if "array" in node:
        return torch.from_numpy(arrays[node["array"]])
    if "tuple" in node:
        return tuple(decode(node["tuple"], arrays))
    state = OrderedDict((key, decode(item, arrays)) for key, item in node["dict"])
    if node["metadata"] is None:
        return dict(state)
    state._metadata = OrderedDict(node["metadata"])  # type: ignore[attr-defined]
    return state
