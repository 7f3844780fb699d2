"""Loading, three training steps and comparing in a process that has never seen the run, against a new interpreter."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.measuring import Spread, one_after_another
from benchmarks.programs import Trainer, make_run
from benchmarks.table import Row
from pytest_ckpt.fresh_party import Party, Saved, save_here
from pytest_ckpt.fresh_resume import judge_replies
from pytest_ckpt.launchers import pack, surroundings
from pytest_ckpt.runs.storage import own_storage
from pytest_ckpt.trips import Plan

__all__ = ["measure"]

_STEPS, _AT = 6, 3
_BY_HAND = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from benchmarks.programs import Trainer
trainer, expected = Trainer(), torch.load(sys.argv[2])
trainer.load(Path(sys.argv[1]))
losses = [trainer.train_step(i) for i in range(3, 6)]
assert losses == expected, (losses, expected)
"""


def measure(rounds: int) -> Iterator[Row]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        party = Party(
            plan=Plan(make_run=make_run, steps=_STEPS, at=(_AT,), storage=own_storage()),
            package=pack((make_run, None)),
            around=surroundings(),
        )
        saved = save_here(party.plan, Path(folder))
        by_hand = _by_hand(Path(folder))
        found = one_after_another(
            {"ours": lambda: _verify(party, saved), "theirs": lambda: _run(by_hand)},
            rounds=rounds,
            clock=time.perf_counter,
        )
    yield Row(
        benchmark="processes",
        measured="load, 3 steps, compare in a new process / python -c",
        spread=Spread.ratio(found["ours"], found["theirs"]),
        limit=1 / 30,
    )


def _verify(party: Party, saved: Saved) -> None:
    (trip,) = judge_replies(saved, (_AT,), party.call([party.resume(saved, _AT, follow=False)])).trips
    assert trip.trip.failure is None
    assert trip.trip.divergence is None
    assert not trip.trip.restored


def _by_hand(folder: Path) -> list[str]:
    """Save as a program does by hand, and return the command that loads it, trains on and compares the losses."""
    trainer = Trainer()
    for i in range(_AT):
        trainer.train_step(i)
    trainer.save(folder / "by-hand.pt")
    torch.save([trainer.train_step(i) for i in range(_AT, _STEPS)], folder / "losses.pt")
    return [sys.executable, "-c", _BY_HAND, str(folder / "by-hand.pt"), str(folder / "losses.pt")]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)
