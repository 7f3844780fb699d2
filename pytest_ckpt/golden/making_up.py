"""Values for what an old manifest describes and today's checkpoint does not hold."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["MakerUp"]

_SEED = 20_260_102
_TENSOR = re.compile(r"(\w+) \(([\d, ]*)\)(?:, shares memory with (.+))?")


class MakerUp:
    """Makes values up: seeded random numbers, so that content can be followed.

    Args:
        wanted: Path to words, for each leaf of the file.
        holds: Path to the path of the state that it holds.
        known: Tensors of the state, by path, that a run of today has and does not save.
        there: Tensors that are in the file already; others share their memory.
    """

    def __init__(
        self,
        wanted: Mapping[str, str],
        holds: Mapping[str, str],
        known: Mapping[str, torch.Tensor],
        there: Mapping[str, torch.Tensor],
    ) -> None:
        self._wanted, self._holds, self._known = wanted, holds, known
        self._made = dict(there)
        self._generator = torch.Generator().manual_seed(_SEED)

    def value(self, path: str) -> Any:
        """Return a value of the form that a leaf had.

        Raises:
            ValueError: If it cannot be made up.
        """
        words = self._wanted[path]
        if found := _TENSOR.fullmatch(words):
            dtype, shape, other = found.groups()
            sizes = tuple(int(size) for size in re.findall(r"\d+", shape))
            self._made[path] = self._tensor(path, getattr(torch, dtype), sizes, other)
            return self._made[path]
        return self._numbers(path) or _plain(path, words)

    def _tensor(self, path: str, dtype: torch.dtype, shape: tuple[int, ...], other: str | None) -> torch.Tensor:
        if other in self._made:
            return self._made[other]
        known = self._known.get(self._holds.get(path, ""))
        if known is not None and known.dtype == dtype and tuple(known.shape) == shape:
            return known.detach().clone()  # A constant is what it always was.
        return _random(dtype, shape, self._generator)

    def _numbers(self, path: str) -> list[int]:
        """Return the numbers of an optimizer group's parameters, where they are so many that they are one leaf."""
        group = re.fullmatch(r"(.*)\[(\d+)\]\.params", path)
        if group is None or not self._wanted[path].startswith("list of "):
            return []
        before = [f"{group[1]}[{number}].params" for number in range(int(group[2]))]
        start = sum(
            _length(self._wanted.get(name, "")) or sum(other.startswith(f"{name}[") for other in self._wanted)
            for name in before
        )
        return list(range(start, start + _length(self._wanted[path])))


def _length(words: str) -> int:
    return int(words.removeprefix("list of ").replace(",", "")) if words.startswith("list of ") else 0


def _plain(path: str, words: str) -> Any:
    kind, _, text = words.partition(" ")
    if kind in ("int", "bool", "str"):
        return ast.literal_eval(text) if text else ""
    plain: dict[str, Any] = {"float": 0.5, "None": None, "{}": {}, "[]": [], "()": ()}
    if words in plain:
        return copy.copy(plain[words])
    raise ValueError(f"{path} was {words}, which cannot be made up")


def _random(dtype: torch.dtype, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    if dtype == torch.uint8 and shape == tuple(torch.get_rng_state().shape):
        return torch.Generator().manual_seed(_SEED).get_state()
    if dtype.is_floating_point or dtype.is_complex:
        # Positive: the mean of squares that an optimizer keeps must be. A single one counts steps, as a rule.
        return (torch.rand(shape, generator=generator) * 0.1 + 0.01 if shape else torch.ones(())).to(dtype)
    return torch.randint(0, 2, shape, generator=generator).to(dtype) if shape else torch.ones((), dtype=dtype)
