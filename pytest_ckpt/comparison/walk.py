"""``compare()``: two states side by side, bit for bit, every mismatch collected."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence, Set
from typing import Any

import torch

from pytest_ckpt.comparison.diff import Diff, Kind, Mismatch
from pytest_ckpt.comparison.rounding import rounded_to
from pytest_ckpt.comparison.tensors import compare_tensors, tensors_differ
from pytest_ckpt.comparison.values import bits_of, same_members, same_value
from pytest_ckpt.comparison.words import NOTHING, array_differences, describe, in_native_order, is_array
from pytest_ckpt.paths import Keys, spell
from pytest_ckpt.state.capture import StateTree
from pytest_ckpt.state.freezing import ObjectPicture, freeze

__all__ = ["compare", "differ"]

_MAPPINGS = (dict, Mapping)  # an abstract class takes several times longer to ask
_SEQUENCES = (list, tuple, deque)
_FLOATS = (float, complex)
_SCALARS = (bool, int, float, complex, str, bytes, type(None))


def compare(expected: Any, actual: Any, *, traits: bool = True) -> Diff:
    """Compare two nested states bit for bit and collect every mismatch.

    NaN equals the same NaN, -0.0 is not 0.0, float32 is not float64. The order of a mapping's keys
    does not count. Nothing is copied: tensors are compared where they are.

    Not looked at, because correct programs change it on the way to disk and back:

    * ``_metadata`` of a module's state dict: whoever saves ``dict(model.state_dict())`` leaves it behind.
    * Whether a sparse COO tensor knows that it is coalesced, as long as its indices and values are the same.
    * The type of a mapping's key where Python takes two keys for one: ``1``, ``1.0`` and ``True``.
    * What a function holds in its closure, and its code: two functions are the same if they have one name in one
      module. What the closures of a run's own components hold is hidden state: :func:`pytest_ckpt.capture` finds it.

    Args:
        expected: The saved state: nested containers, tensors, arrays, numbers, or what
            :func:`pytest_ckpt.capture` returned.
        actual: The loaded state, likewise.
        traits: Also compare what a tensor is beside its values: ``requires_grad``, ``Parameter`` or not,
            strides and device.
    """
    walk = _Walk(traits=traits)
    walk.start(expected, actual)
    return Diff(mismatches=tuple(walk.mismatches), compared=walk.compared)


def differ(expected: Any, actual: Any, *, traits: bool = True) -> bool:
    """Whether :func:`compare` would find a mismatch; nothing after the first is looked at."""
    try:
        _Search(traits=traits).start(expected, actual)
    except _Found:
        return True
    return False


class _Walk:
    """One traversal of two states at once."""

    def __init__(self, *, traits: bool) -> None:
        self.mismatches: list[Mismatch] = []
        self.compared = 0
        self._traits = traits
        self._open: set[tuple[int, int]] = set()

    def start(self, expected: Any, actual: Any) -> None:
        if isinstance(expected, StateTree) and isinstance(actual, StateTree):
            for part in ("state", "traits", "sharing", "hidden"):
                self.visit(getattr(expected, part), getattr(actual, part), ())
        else:
            self.visit(expected, actual, ())

    def add(self, mismatches: Sequence[Mismatch]) -> None:
        self.mismatches += mismatches

    def visit(self, expected: Any, actual: Any, keys: Keys) -> None:
        if isinstance(expected, torch.Tensor):
            self.compared += 1
            if isinstance(actual, torch.Tensor):
                self._visit_tensors(expected, actual, keys)
            else:
                self._report("type", keys, expected, actual)
        elif type(expected) in _SCALARS and type(expected) is type(actual):
            self.compared += 1
            if expected != actual or isinstance(expected, _FLOATS):
                self._visit_number(expected, actual, keys)
        else:
            self._visit_compound(expected, actual, keys)

    def _visit_tensors(self, expected: torch.Tensor, actual: torch.Tensor, keys: Keys) -> None:
        self.add(compare_tensors(expected, actual, keys, traits=self._traits))

    def _visit_compound(self, expected: Any, actual: Any, keys: Keys) -> None:
        pair = (id(expected), id(actual))
        if expected is actual or pair in self._open:
            return
        self._open.add(pair)
        if isinstance(expected, _MAPPINGS) and isinstance(actual, _MAPPINGS):
            self._visit_mappings(expected, actual, keys)
        elif isinstance(expected, _SEQUENCES) and isinstance(actual, _SEQUENCES):
            self._visit_sequences(expected, actual, keys)
        elif isinstance(expected, ObjectPicture):
            self._visit_pictures(expected, freeze(actual), keys)
        else:
            self.compared += 1
            self._visit_leaf(expected, actual, keys)
        self._open.discard(pair)

    def _visit_mappings(self, expected: Mapping[Any, Any], actual: Mapping[Any, Any], keys: Keys) -> None:
        for key, value in expected.items():
            if key in actual:
                self.visit(value, actual[key], (*keys, key))
            else:
                self._report("missing", (*keys, key), value, NOTHING)
        for key, value in actual.items():
            if key not in expected:
                self._report("unexpected", (*keys, key), NOTHING, value)

    def _visit_sequences(self, expected: Any, actual: Any, keys: Keys) -> None:
        if isinstance(expected, tuple) != isinstance(actual, tuple):
            self._report("container type", keys, type(expected), type(actual))
        if isinstance(expected, deque) and isinstance(actual, deque):
            self.visit(expected.maxlen, actual.maxlen, (*keys, "maxlen"))
        for index, (value, other) in enumerate(zip(expected, actual, strict=False)):
            self.visit(value, other, (*keys, index))
        for index in range(len(actual), len(expected)):
            self._report("missing", (*keys, index), expected[index], NOTHING)
        for index in range(len(expected), len(actual)):
            self._report("unexpected", (*keys, index), NOTHING, actual[index])

    def _visit_pictures(self, expected: ObjectPicture, actual: Any, keys: Keys) -> None:
        if not isinstance(actual, ObjectPicture):
            self._report("type", keys, expected, actual)
            return
        if expected.kind != actual.kind:
            self._report("type", keys, expected, actual)
        self._visit_mappings(expected.attributes, actual.attributes, keys)

    def _visit_number(self, expected: Any, actual: Any, keys: Keys) -> None:
        if isinstance(expected, _FLOATS) and bits_of(expected) == bits_of(actual):
            return
        detail = "the same number in other bits" if repr(expected) == repr(actual) else ""
        if isinstance(expected, float) and (dtype := rounded_to(*map(_double, (expected, actual)))):
            detail = f"rounded to {dtype}"
        self._report("value", keys, expected, actual, detail)

    def _visit_leaf(self, expected: Any, actual: Any, keys: Keys) -> None:
        if is_array(expected) and is_array(actual):
            expected, actual = in_native_order(expected), in_native_order(actual)
            if (expected.dtype, expected.shape) != (actual.dtype, actual.shape):
                self._report("shape" if expected.dtype == actual.dtype else "dtype", keys, expected, actual)
            elif expected.dtype == object:
                self.visit(expected.tolist(), actual.tolist(), keys)
            elif expected.tobytes() != actual.tobytes():
                self._report("value", keys, expected, actual, array_differences(expected, actual))
        elif isinstance(expected, Set) and isinstance(actual, Set):
            if not same_members(expected, actual):
                self._report("value", keys, expected, actual)
        elif type(expected) is not type(actual) and _is_number(expected) and _is_number(actual):
            self._report("number type" if expected == actual else "value", keys, expected, actual)
        elif type(expected) is not type(actual):
            self._report("type", keys, expected, actual)
        else:
            self._visit_objects(expected, actual, keys)

    def _visit_objects(self, expected: Any, actual: Any, keys: Keys) -> None:
        """Compare two objects of one class: functions by name, others by what they are made of, or ``==``."""
        pictures = freeze(expected), freeze(actual)
        if isinstance(pictures[0], ObjectPicture):
            self.visit(*pictures, keys)
        elif not same_value(expected, actual):
            self._report("value", keys, expected, actual)

    def _report(self, kind: Kind, keys: Keys, expected: Any, actual: Any, detail: str = "") -> None:
        mismatch = Mismatch(
            path=spell(keys),
            kind=kind,
            expected=describe(expected),
            actual=describe(actual),
            detail=detail,
            tensor=_holds_tensor(actual if expected is NOTHING else expected),
        )
        self.add((mismatch,))


class _Search(_Walk):
    """A traversal that ends at the first mismatch."""

    def _visit_tensors(self, expected: torch.Tensor, actual: torch.Tensor, keys: Keys) -> None:
        if tensors_differ(expected, actual, traits=self._traits):
            raise _Found

    def add(self, mismatches: Sequence[Mismatch]) -> None:
        raise _Found


class _Found(Exception):
    """There is a mismatch."""


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_tensor(item) for item in value.values())
    return isinstance(value, torch.Tensor) or (is_array(value) and value.ndim > 0)


def _double(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64, device="cpu")  # whatever the default device


def _is_number(value: Any) -> bool:
    if isinstance(value, float) and math.isnan(value):
        return False
    return isinstance(value, int | float | complex) or (is_array(value) and value.ndim == 0)
