"""What a program saves: to a path of its own, or over an earlier checkpoint."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pytest_ckpt.generations import is_mapped
from pytest_ckpt.overwriting import contents
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.runs.background import BackgroundSaves
from pytest_ckpt.state import StateTree, capture
from pytest_ckpt.strategies.machine.events import Moment, further
from pytest_ckpt.trips import Plan, SavedRun, Trajectory, save_stage, stage

__all__ = ["Checkpoint", "age", "replaces", "save_to"]

_A_MINUTE = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A checkpoint and what was true of its run.

    Attributes:
        saved: The run that saved it.
        steps: Training steps behind it.
        moment: What was true when it was saved.
    """

    saved: SavedRun
    steps: int
    moment: Moment

    @property
    def tree(self) -> StateTree:
        """The state at the save."""
        return self.saved.trees[self.steps]

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.saved.paths[self.steps]


def save_to(
    path: Path, *, plan: Plan, run: LiveRun, moment: Moment, background: BackgroundSaves, closely: bool
) -> Checkpoint:
    """Save a run; ``closely`` looks at its state once more after that.

    Raises:
        CallFailed: If the project's ``save`` raises.
    """
    steps = run.steps_done
    tree = capture(run.components, hidden=bool(plan.ignore))
    with stage(save_stage(steps)), background.watching():
        plan.save(run, path)
    after = {steps: capture(run.components, hidden=False)} if closely else {}
    trajectory = Trajectory(start=0, records=[], end=tree)
    saved = SavedRun(run=run, trajectory=trajectory, trees={steps: tree}, paths={steps: path}, after=after)
    return Checkpoint(saved=saved, steps=steps, moment=moment)


def replaces(old: Checkpoint, moment: Moment) -> bool:
    """Whether a run may be saved over a checkpoint.

    It must come from there and have trained on: a folder of another run is not for it to use. And nobody may read the
    file still: a save that truncates it would kill the process.
    """
    return further(moment, old.moment) and not is_mapped(old.path)


def age(folder: Path) -> dict[str, bytes]:
    """Let a minute pass for the files of a folder, and return what is in them.

    A program may tell the latest of its files by the time, and no training step is so short that two are of one.
    """
    for place in sorted(folder.rglob("*"), reverse=True):
        times = place.stat()
        os.utime(place, (times.st_atime - _A_MINUTE, times.st_mtime - _A_MINUTE))
    return contents(folder)
