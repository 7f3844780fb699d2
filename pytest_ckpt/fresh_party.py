"""A run with its checkpoints, as it is sent to new processes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_ckpt.launchers import Package, Replies, Surroundings, Task, as_plain_data, call_in_fresh_processes, encode
from pytest_ckpt.runs import LiveRun, build
from pytest_ckpt.runs.carrying import carry_over
from pytest_ckpt.runs.outside import OutsideWrites
from pytest_ckpt.spine import save_on_the_way
from pytest_ckpt.state import StateTree
from pytest_ckpt.trips import Plan, Trajectory, fresh_seed

__all__ = ["MODULES", "Party", "Saved", "load_here", "save_here"]

MODULES = ("pytest_ckpt.fresh_tasks", "numpy", "pytest")
"""What a process that is forked finds loaded, beside torch and what this one has loaded of this package."""
_LEAST_SECONDS, _TIMES = 60.0, 20.0
_HERE = "pytest_ckpt.fresh_tasks:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Party:
    """What is sent.

    Attributes:
        plan: What is run.
        package: ``make_run``, packed before it was called.
        around: What the run found in this process.
    """

    plan: Plan
    package: Package
    around: Surroundings

    @property
    def terms(self) -> dict[str, Any]:
        """The plan, as plain data."""
        return {"steps": self.plan.steps, "storage": self.plan.storage.name, "ignore": tuple(self.plan.ignore)}

    def call(self, tasks: Sequence[Task], seconds: float = 0.0, hash_seed: str = "") -> Replies:
        """Do tasks, each in a new process."""
        return call_in_fresh_processes(
            self.package,
            tasks,
            around=self.around,
            modules=MODULES,
            timeout=max(_LEAST_SECONDS, _TIMES * seconds),
            hash_seed=hash_seed,
        )

    def predict(self, saved: Saved | None, at: int) -> Task:
        """Return the task of predicting after a load, or after training where nothing was saved."""
        path = "" if saved is None else str(saved.paths[at])
        arguments = {"terms": self.terms, "at": at, "path": path, "saved": self._carried(saved, at)}
        return Task(function=f"{_HERE}predict_run", arguments=arguments)

    def picture(self, saved: Saved, at: int) -> Task:
        """Return the task of picturing a run after a load."""
        arguments = {
            "terms": self.terms,
            "at": at,
            "path": str(saved.paths[at]),
            "saved": self._carried(saved, at),
        }
        return Task(function=f"{_HERE}picture_run", arguments=arguments)

    def _carried(self, saved: Saved | None, at: int) -> bytes | None:
        return encode(saved.trees[at]) if saved is not None and self.plan.ignore else None

    def save(self, at: int, folder: Path) -> Task:
        """Return the task of saving there, in a folder."""
        return Task(function=f"{_HERE}save_run", arguments={"terms": self.terms, "at": at, "folder": str(folder)})

    def train(self) -> Task:
        """Return the task of training without a checkpoint."""
        return Task(function=f"{_HERE}train_run", arguments={"terms": self.terms})

    def resume(self, saved: Saved, at: int, *, folder: str = "", hidden: bool = True, follow: bool = True) -> Task:
        """Return the task of loading and training on."""
        return Task(
            function=f"{_HERE}resume_run",
            arguments={
                "terms": self.terms,
                "at": at,
                "path": str(saved.paths[at]),
                "saved": self._carried(saved, at),
                "follow": follow,
            },
            folder=folder,
            hidden=saved.outside if hidden else (),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """A run that has saved, as plain data.

    Attributes:
        trajectory: What it did.
        trees: Its states at its saves.
        after: Its state right after a save, where there was only one.
        paths: Its checkpoints.
        outside: The files that saves wrote elsewhere.
        seconds: How long it took.
    """

    trajectory: Trajectory
    trees: dict[int, StateTree]
    after: dict[int, StateTree]
    paths: dict[int, Path]
    outside: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def wrote_nothing(self) -> bool:
        """Whether a save left no file behind, as that of a program does that keeps its checkpoints in memory."""
        return not any(any(path.parent.iterdir()) for path in self.paths.values())


def save_here(plan: Plan, folder: Path) -> Saved:
    """Train a run to the end that saves on its way, and note what it writes elsewhere.

    Raises:
        CallFailed: If it cannot train or save.
    """
    writes = OutsideWrites(folder)
    storage = replace(plan.storage, save=writes.during(plan.storage.save))
    start = time.monotonic()
    with writes.watching():
        saved = save_on_the_way(replace(plan, storage=storage), folder)
    return Saved(
        trajectory=as_plain_data(saved.trajectory),
        trees=as_plain_data(saved.trees),
        after=as_plain_data(saved.after),
        paths=saved.paths,
        outside=tuple(file for file in writes.files if os.path.isfile(file)),
        seconds=time.monotonic() - start,
    )


def load_here(party: Party, saved: Saved, at: int) -> LiveRun:
    """Return a fresh run of this process that has loaded a checkpoint."""
    plan = party.plan
    run = build(plan.make_run, fresh_seed(at))
    plan.load(run, saved.paths[at])
    carry_over(run, saved.trees[at], plan.ignore)
    run.steps_done = at
    return run
