"""Writing a checkpoint of one version of the code, and loading it with another: what happens, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pytest_ckpt.golden.arrival import Arrival, watch_load
from pytest_ckpt.golden.describing import describe_run
from pytest_ckpt.golden.manifest import Manifest
from pytest_ckpt.golden.pictures import unsaved_buffers
from pytest_ckpt.runs import build
from pytest_ckpt.spine import save_and_wait
from pytest_ckpt.state import seed_everything
from pytest_ckpt.trips import FIRST_SEED, CallFailed, Plan, fresh_seed, new_path, save_stage, stage

__all__ = ["AHEAD", "Trial", "Written", "attempt", "write"]

AHEAD = 2
"""Training steps after a load: an optimizer whose state is that of another one raises in the first."""

_LOAD_SEED = FIRST_SEED + 1_000
_MOST = 64  # numbers of one step


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A checkpoint that a run has just saved.

    Attributes:
        path: What ``save`` was called with.
        manifest: What it is made of.
        unsaved: Buffers of the run that are not in its state, by their paths.
    """

    path: Path
    manifest: Manifest
    unsaved: Mapping[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What one version of the code makes of a checkpoint. Strings and numbers only.

    Attributes:
        arrival: What has arrived.
        failure: What a training step after the load raised; empty if none did.
        where: The last lines of its traceback.
        losses: What these steps returned, the numbers of each as ``float.hex`` writes them.
    """

    arrival: Arrival
    failure: str = ""
    where: tuple[str, ...] = ()
    losses: tuple[tuple[str, ...], ...] = ()


def write(plan: Plan, directory: Path, *, name: str, folder: str = "today") -> Written:
    """Train a run, save it and describe what it saved.

    Args:
        plan: What to run; saved is after the first of its ``at``.
        directory: A directory in which ``folder`` is made.
        name: What to call the run in the manifest.
        folder: The name of the new directory for the checkpoint.

    Raises:
        CallFailed: If the project's code raises.
        UnreadableFile: If the checkpoint cannot be looked into.
    """
    at = plan.at[0]
    run = build(plan.make_run, FIRST_SEED)
    with stage(f"training for {at} steps"):
        run.train(at)
    path = new_path(directory, folder, plan.storage)
    with stage(save_stage(at)):
        save_and_wait(plan, run, path)
    return Written(path=path, manifest=describe_run(run, path, name=name, at=at), unsaved=unsaved_buffers(run))


def attempt(plan: Plan, path: Path, holds: Mapping[str, str], at: int) -> Trial:
    """Load a checkpoint into a fresh run and train on.

    The random state is the same before each load: code that restores it itself is not disturbed, and for code that does
    not a layer more, which draws numbers when it is made, changes nothing.

    Args:
        plan: What to run.
        path: The checkpoint.
        holds: Whose state each of its tensors holds.
        at: Training steps before it was saved.
    """
    run = build(plan.make_run, fresh_seed(at))
    seed_everything(_LOAD_SEED)
    arrival = watch_load(run, path, holds, plan.load)
    if arrival.refused:
        return Trial(arrival=arrival)
    run.steps_done = at
    try:
        with stage(f"step({at}) or a later one, after loading,"):
            records = run.train(at + AHEAD) if run.definition.step is not None else []
    except CallFailed as failure:
        return Trial(arrival=arrival, failure=str(failure), where=failure.where)
    return Trial(arrival=arrival, losses=tuple(tuple(_numbers(record["output"])) for record in records))


def _numbers(output: Any) -> Iterator[str]:
    if isinstance(output, bool | int | float):
        yield float(output).hex()
    elif isinstance(output, torch.Tensor) and output.numel() <= _MOST and not output.is_complex():
        yield from (float(number).hex() for number in output.flatten().tolist())
    elif isinstance(output, Mapping):
        for item in output.values():
            yield from _numbers(item)
    elif isinstance(output, list | tuple):
        for item in output:
            yield from _numbers(item)
