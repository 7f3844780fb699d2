"""Differences as data."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from pytest_ckpt.comparison import Diff, Mismatch

MISMATCH = Mismatch(path="model.w", kind="value", expected="1", actual="2")


def test_a_diff_is_true_when_there_are_differences() -> None:
    none, some = Diff(mismatches=(), compared=3), Diff(mismatches=(MISMATCH, MISMATCH), compared=3)

    assert not none
    assert some
    assert (len(none), len(some)) == (0, 2)
    assert list(some) == [MISMATCH, MISMATCH]


def test_mismatches_are_values() -> None:
    assert pickle.loads(pickle.dumps(MISMATCH)) == MISMATCH
    assert dataclasses.replace(MISMATCH, actual="3") != MISMATCH
    assert (MISMATCH.detail, MISMATCH.tensor) == ("", False)
    with pytest.raises(dataclasses.FrozenInstanceError):
        MISMATCH.path = "other"  # type: ignore[misc]
