"""The format as it was before its first tests: three versions, each with a loss of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pytest_ckpt.formats import Format

from .formats import NPZ
from .npz import save


def in_single_precision(value: Any) -> Any:
    """Make files smaller."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.float()
    return {key: in_single_precision(item) for key, item in value.items()} if isinstance(value, dict) else value


def with_keys_of_json(value: Any) -> Any:
    """Leave mappings to ``json.dumps``, which makes the key 0 the string "0"."""
    return {str(key): with_keys_of_json(item) for key, item in value.items()} if isinstance(value, dict) else value


def by_ascontiguousarray(value: Any) -> Any:
    """Call ``np.ascontiguousarray``, which makes a scalar a vector of one element."""
    if isinstance(value, torch.Tensor):
        return torch.atleast_1d(value)
    return {key: by_ascontiguousarray(item) for key, item in value.items()} if isinstance(value, dict) else value


def broken(name: str, change: Callable[[Any], Any]) -> Format:
    def save_changed(state: dict[str, Any], path: Path) -> None:
        save(change(state), path)

    return replace(NPZ, name=name, save=save_changed)


BROKEN_FORMATS = (
    broken("npz-single", in_single_precision),
    broken("npz-json-keys", with_keys_of_json),
    broken("npz-vectors", by_ascontiguousarray),
)
