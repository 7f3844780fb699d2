"""A round trip of a small run: what it adds to the format's own save and load."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pytest_torch.checkpoint import assert_checkpoint_roundtrip

from benchmarks.measuring import Spread, one_after_another
from benchmarks.programs import INPUTS, ckpt_fixture, make_mlp, make_run_without_save
from benchmarks.table import Row
from pytest_ckpt import TrainingRun
from pytest_ckpt.formats import get_format
from pytest_ckpt.plugin.ckpt_fixture import CkptFixture
from pytest_ckpt.runs import LiveRun, build
from pytest_ckpt.runs.storage import RANDOM_STATE, payload_of
from pytest_ckpt.state import set_random_state

__all__ = ["measure"]

_FORMAT = get_format("torch")
_STEPS = 2
_ROUNDS = 10
"""How many times as many rounds as the others have: each takes a few milliseconds."""


def measure(rounds: int) -> Iterator[Row]:
    torch.set_num_threads(1)
    ckpt = ckpt_fixture()
    yield _added(ckpt, 3, 25.0, rounds)
    yield _added(ckpt, 16, None, rounds)
    yield _beside_hand_written(ckpt, rounds)
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


def _added(ckpt: CkptFixture, layers: int, limit: float | None, rounds: int) -> Row:
    """Measure what a round trip takes beside the program itself and the format."""
    make_run = partial(make_run_without_save, layers)
    payload = _payload(make_run)
    times = one_after_another(
        {
            "round trip": lambda: ckpt.round_trip(make_run, format="torch", steps=_STEPS),
            "program": lambda: _make_and_train(make_run),
            "format": lambda: _save_and_load(payload),
        },
        rounds=rounds * _ROUNDS,
    )
    parts = zip(times["round trip"], times["program"], times["format"], strict=True)
    return Row(
        benchmark="round-trip",
        measured=f"{layers} layers: added to torch.save and torch.load / those two",
        spread=Spread.of([100 * (trip - program - form) / form for trip, program, form in parts]),
        unit="%",
        limit=limit,
    )


def _beside_hand_written(ckpt: CkptFixture, rounds: int) -> Row:
    """Measure what a round trip takes beside what a test by hand does, which compares and isolates nothing."""
    make_run = partial(make_run_without_save, 3)
    times = one_after_another(
        {
            "round trip": lambda: ckpt.round_trip(make_run, format="torch", steps=_STEPS),
            "program": lambda: _make_and_train(make_run),
            "by hand": lambda: _round_trip_by_hand(make_run),
        },
        rounds=rounds * _ROUNDS,
    )
    parts = zip(times["round trip"], times["program"], times["by hand"], strict=True)
    added = [100 * (trip - by_hand) / (by_hand - program) for trip, program, by_hand in parts]
    return Row(
        benchmark="round-trip",
        measured="3 layers: added to state dicts, random state, save and load by hand / those",
        spread=Spread.of(added),
        unit="%",
    )


def _payload(make_run: Callable[[], TrainingRun]) -> dict[str, Any]:
    """Return what the round trip writes, to write it without the round trip."""
    run = build(make_run, 0)
    run.train(_STEPS)
    return payload_of(run)


def _round_trip_by_hand(make_run: Callable[[], TrainingRun]) -> None:
    """Do what one writes without this package: the program, state dicts, random state, save and load."""
    trained = make_run()
    assert trained.step is not None
    for i in range(_STEPS):
        trained.step(i)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.pt")
        _FORMAT.save(payload_of(LiveRun(trained)), path)
        fresh = make_run().components
        assert isinstance(fresh, dict)
        payload = _FORMAT.load(path)
        for name, component in fresh.items():
            component.load_state_dict(payload[name])
        set_random_state(payload[RANDOM_STATE])


def _make_and_train(make_run: Callable[[], TrainingRun]) -> None:
    """Do what the program itself does in a round trip: it is made twice, and trained once."""
    step = make_run().step
    assert step is not None
    for i in range(_STEPS):
        step(i)
    make_run()


def _save_and_load(payload: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.pt")
        _FORMAT.save(payload, path)
        _FORMAT.load(path)
