"""A round trip of a small run: what it adds to the format's own save and load."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from pytest_torch.checkpoint import assert_checkpoint_roundtrip

from benchmarks.measuring import Spread, one_after_another
from benchmarks.programs import INPUTS, make_mlp, make_run_without_save
from benchmarks.table import Row
from pytest_ckpt.comparison import compare
from pytest_ckpt.formats import get_format
from pytest_ckpt.runs import MakeRun, build
from pytest_ckpt.runs.storage import format_storage, payload_of
from pytest_ckpt.spine import load_into, save_on_the_way
from pytest_ckpt.trips import FIRST_SEED, Plan, fresh_seed, workspace

__all__ = ["measure"]

_FORMAT = get_format("torch")


def measure(rounds: int) -> Iterator[Row]:
    torch.set_num_threads(1)
    trained = build(make_run_without_save, FIRST_SEED)
    trained.train(1)
    payload = payload_of(trained)
    times = one_after_another(
        {
            "round trip": lambda: _round_trip(make_run_without_save, steps=1),
            "program": _make_and_train,
            "format": lambda: _save_and_load(payload),
        },
        rounds=rounds * 5,  # A few milliseconds each.
    )
    parts = zip(times["round trip"], times["program"], times["format"], strict=True)
    yield Row(
        benchmark="round-trip",
        measured="beside the program and torch's save and load / those two",
        spread=Spread.of([100 * (trip - program - form) / form for trip, program, form in parts]),
        unit="%",
        limit=25.0,
    )
    rivals = one_after_another(
        {"ours": lambda: _round_trip(make_mlp, steps=0), "theirs": _round_trip_by_pytest_torch}, rounds=rounds * 5
    )
    yield Row(
        benchmark="round-trip",
        measured="the model alone / assert_checkpoint_roundtrip",
        spread=Spread.ratio(rivals["ours"], rivals["theirs"]),
        limit=1.0,
    )


def _round_trip(make_run: MakeRun, *, steps: int) -> None:
    plan = Plan(make_run=make_run, steps=steps, at=(steps,), storage=format_storage(_FORMAT))
    with workspace() as directory:
        saved = save_on_the_way(plan, directory)
        fresh = build(make_run, fresh_seed(steps))
        loaded = load_into(plan, fresh, saved, steps)
        if diff := compare(saved.trees[steps], loaded):
            raise AssertionError(diff.mismatches[0])


def _round_trip_by_pytest_torch() -> None:
    assert_checkpoint_roundtrip(make_mlp, INPUTS)


def _make_and_train() -> None:
    step = make_run_without_save().step
    assert step is not None
    step(0)
    make_run_without_save()


def _save_and_load(payload: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.pt")
        _FORMAT.save(payload, path)
        _FORMAT.load(path)
