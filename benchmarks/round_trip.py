"""A round trip of a small run: what it adds to the format's own save and load."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from pytest_torch.checkpoint import assert_checkpoint_roundtrip

from benchmarks.measuring import Spread, one_after_another
from benchmarks.programs import INPUTS, ckpt_fixture, make_mlp, make_run_without_save
from benchmarks.table import Row
from pytest_ckpt.formats import get_format
from pytest_ckpt.runs import build
from pytest_ckpt.runs.storage import payload_of

__all__ = ["measure"]

_FORMAT = get_format("torch")
_STEPS = 2
_ROUNDS = 10
"""How many times as many rounds as the others have: each takes a few milliseconds."""


def measure(rounds: int) -> Iterator[Row]:
    torch.set_num_threads(1)
    ckpt = ckpt_fixture()
    payload = _payload()
    times = one_after_another(
        {
            "round trip": lambda: ckpt.round_trip(make_run_without_save, format="torch", steps=_STEPS),
            "program": _make_and_train,
            "format": lambda: _save_and_load(payload),
        },
        rounds=rounds * _ROUNDS,
    )
    parts = zip(times["round trip"], times["program"], times["format"], strict=True)
    yield Row(
        benchmark="round-trip",
        measured="what it adds to torch.save and torch.load / those two",
        spread=Spread.of([100 * (trip - program - form) / form for trip, program, form in parts]),
        unit="%",
        limit=25.0,
    )
    rivals = one_after_another(
        {
            "ours": lambda: ckpt.round_trip(make_mlp, format="torch"),
            "theirs": lambda: assert_checkpoint_roundtrip(make_mlp, INPUTS),
        },
        rounds=rounds * _ROUNDS,
    )
    yield Row(
        benchmark="round-trip",
        measured="the model alone / assert_checkpoint_roundtrip",
        spread=Spread.ratio(rivals["ours"], rivals["theirs"]),
        limit=1.0,
    )


def _payload() -> dict[str, Any]:
    """Return what the round trip writes, to write it without the round trip."""
    run = build(make_run_without_save, 0)
    run.train(_STEPS)
    return payload_of(run)


def _make_and_train() -> None:
    """Do what the program itself does in a round trip: it is made twice, and trained once."""
    step = make_run_without_save().step
    assert step is not None
    for i in range(_STEPS):
        step(i)
    make_run_without_save()


def _save_and_load(payload: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.pt")
        _FORMAT.save(payload, path)
        _FORMAT.load(path)
