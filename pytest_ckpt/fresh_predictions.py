"""What a checkpoint predicts in a process that has never seen its run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.fresh_party import Party, Saved, load_here, save_here
from pytest_ckpt.generations import predict_seeded
from pytest_ckpt.launchers import Reply, as_plain_data
from pytest_ckpt.runs import LiveRun, build
from pytest_ckpt.trips import FIRST_SEED, workspace

__all__ = ["FreshPrediction", "nearly_equal", "predict_afresh"]

_NEAR, _ZERO = 1e-3, 1e-6
_A_THIRD_HASH_SEED = "103"


@dataclass(frozen=True, kw_only=True, slots=True)
class FreshPrediction:
    """How a checkpoint predicts otherwise in a new process, and nothing but the checkpoint or the process can be why.

    Attributes:
        at: Training steps before saving.
        mismatches: The differences; none where it does not, or where something else may be why.
        by_hash: Whether it predicts otherwise under each hash seed.
    """

    at: int
    mismatches: tuple[Mismatch, ...] = ()
    by_hash: bool = False


def predict_afresh(party: Party, at: int) -> FreshPrediction:
    """Load a checkpoint and predict, here and in new processes; where they differ, find out why.

    Rounding is no difference: a sum in the order of a set of strings has other last digits in each process.

    Raises:
        CallFailed: If the run cannot be saved here.
    """
    with workspace() as folder:
        saved = save_here(replace(party.plan, at=(at,)), folder)
        here, trained_here = _plain_prediction(load_here(party, saved, at)), _trained(party, at)
        there, again, trained = map(_value, party.call(_tasks(party, saved, at), saved.seconds).items)
        if there is None or nearly_equal(here, there) or not nearly_equal(there, again):
            return FreshPrediction(at=at)
        found = compare({"prediction": here}, {"prediction": there}, traits=False).mismatches
        if trained is not None and nearly_equal(trained_here, trained):
            return FreshPrediction(at=at, mismatches=found)
        # What was set up in this process may be another model: only new processes can be compared.
        (other,) = party.call([party.predict(saved, at)], hash_seed=_A_THIRD_HASH_SEED).items
        if _value(other) is None or nearly_equal(there, _value(other)):
            return FreshPrediction(at=at)
        return FreshPrediction(at=at, mismatches=found, by_hash=True)


def _tasks(party: Party, saved: Saved, at: int) -> list[Any]:
    return [party.predict(saved, at), party.predict(saved, at), party.predict(None, at)]


def _trained(party: Party, at: int) -> Any:
    run = build(party.plan.make_run, FIRST_SEED)
    run.train(at)
    return _plain_prediction(run)


def _plain_prediction(run: LiveRun) -> Any:
    return as_plain_data(predict_seeded(run))


def _value(reply: Reply) -> Any:
    return None if reply.problem else reply.value


def nearly_equal(one: Any, other: Any) -> bool:
    """Whether the numbers in two nested values are the same up to rounding; what is no number does not count."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        if one.shape != other.shape:
            return False
        kind = torch.complex128 if one.is_complex() or other.is_complex() else torch.float64
        return torch.allclose(one.to(kind), other.to(kind), rtol=_NEAR, atol=_ZERO, equal_nan=True)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(nearly_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(nearly_equal, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_NEAR, abs_tol=_ZERO) or (one != one and other != other)
    return True
