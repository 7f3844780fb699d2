"""The manifest of a checkpoint of 1 GB: against reading it with torch, and against SHA-256 over the same bytes."""

from __future__ import annotations

import hashlib
import resource
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from benchmarks.measuring import Spread, one_after_another
from benchmarks.processes import in_a_fresh_process
from benchmarks.states import gpt2_like
from benchmarks.table import Row
from pytest_ckpt.golden.describing import describe_checkpoint

__all__ = ["measure"]

_CHUNK = 4 << 20


def measure(rounds: int) -> Iterator[Row]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "checkpoint.pt"
        # Written elsewhere: what a new process has as its peak memory is at least that of its parent.
        in_a_fresh_process(_write, path)
        peak = in_a_fresh_process(_extra_memory, path)
        yield Row(
            benchmark="manifest",
            measured="1 GB: peak memory that it adds, digests included",
            spread=Spread.of([peak]),
            unit="MB",
            limit=64.0,
        )
        yield from _times(path, rounds)


def _write(path: Path) -> None:
    torch.save(gpt2_like(), path)


def _times(path: Path, rounds: int) -> Iterator[Row]:
    found = one_after_another(
        {
            "torch.load": partial(torch.load, path),
            "manifest": partial(describe_checkpoint, path, name="it"),
            "SHA-256": partial(_hash, path),
            "digests": partial(describe_checkpoint, path, name="it", digests=True),
        },
        rounds=rounds,
    )
    for one, other, limit in (("manifest", "torch.load", 0.1), ("digests", "SHA-256", 1.15)):
        what = "a manifest" if one == "manifest" else "a manifest with digests"
        spread = Spread.ratio(found[one], found[other])
        yield Row(benchmark="manifest", measured=f"1 GB: {what} / {other}", spread=spread, limit=limit)


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _extra_memory(path: Path) -> float:
    before = _peak()
    describe_checkpoint(path, name="it", digests=True)
    return _peak() - before


def _peak() -> float:
    """Return the most memory this process has had, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
