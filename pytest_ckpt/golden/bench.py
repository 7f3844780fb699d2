"""What a guarded run is asked for, today's checkpoint, and what today's code makes of it and of others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from pytest_ckpt.errors import UsageError
from pytest_ckpt.golden.describing import conditions_here
from pytest_ckpt.golden.fabricating import fabricate
from pytest_ckpt.golden.judging import judge
from pytest_ckpt.golden.keeping import MANIFEST, fetch, manifest_of
from pytest_ckpt.golden.losses import compare_losses
from pytest_ckpt.golden.manifest import Golden, Manifest
from pytest_ckpt.golden.trials import AHEAD, Trial, Written, attempt, write
from pytest_ckpt.golden.verdict import Basis, Verdict
from pytest_ckpt.runs import LiveRun, MakeRun, as_training_run
from pytest_ckpt.runs.shared_state import SharedState
from pytest_ckpt.runs.storage import storage_for
from pytest_ckpt.state import seed_everything
from pytest_ckpt.trips import FIRST_SEED, Plan

__all__ = ["MODES", "Bench", "Request", "nothing_moved_on", "plan_for"]

MODES = ("none", "backward", "backward_transitive", "forward", "forward_transitive", "full", "full_transitive")
"""As in schema registries: who must read whose files. Without ``_transitive`` the newest golden alone is asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What to guard, and what may be written.

    Attributes:
        name: What the run is called.
        directory: Where its manifest and goldens are.
        mode: One of :data:`MODES`.
        at: Training steps before saving.
        format: The format to save in; empty for the run's own way.
        update: Whether the manifest may be written.
        keep: What to call a golden that is to be kept; empty for none.
        command: What a reader types to update the manifest.
        today: The day by which waivers expire.
    """

    name: str
    directory: Path
    mode: str
    at: int = 2
    format: str = ""
    update: bool = False
    keep: str = ""
    command: str = "pytest --ckpt-update"
    today: date = field(default_factory=date.today)


@contextmanager
def nothing_moved_on(make_run: MakeRun) -> Iterator[MakeRun]:
    """Give a factory of runs as a new process makes them; afterwards globals are as before."""
    shared = SharedState(make_run)
    try:
        yield shared.fresh
    finally:
        shared.rewind()


def plan_for(make_run: MakeRun, request: Request) -> Plan:
    """Return what to run, and how it gets to disk and back.

    Raises:
        UsageError: If the run cannot be used that way.
    """
    seed_everything(FIRST_SEED)
    first = LiveRun(as_training_run(make_run()))
    storage = storage_for(first, request.format)
    at = request.at if first.definition.step is not None else 0
    if at < 0:
        raise UsageError(f"at={at}; it is the number of training steps before saving, at least 0.")
    return Plan(make_run=make_run, steps=at + AHEAD, at=(at,), storage=storage)


class Bench:
    """Today's checkpoint and what today's code makes of it, and of others."""

    def __init__(self, plan: Plan, directory: Path, request: Request) -> None:
        self.plan, self.request, self._directory = plan, request, directory
        self.written: Written = write(plan, directory, name=request.name)
        self.today: Manifest = self.written.manifest
        self.own: Trial = self._own()

    def _own(self) -> Trial:
        """Load today's checkpoint from a copy: that of a golden must be what the run has saved."""
        path = self._copy("own")
        return attempt(self.plan, path, self.today.holds, self.today.at)

    def _copy(self, name: str) -> Path:
        folder = self._directory / name
        shutil.copytree(self.written.path.parent, folder, symlinks=True)
        return folder / self.written.path.name

    def fabricated(self, old: Manifest) -> Verdict:
        """Judge a checkpoint that is made to an old manifest's form."""
        path = self._copy("fabricated")
        fabricate(path, self.today, old, self.written.unsaved)
        trial = attempt(self.plan, path, old.holds, self.today.at)
        basis: Basis = "a checkpoint made to the manifest's form"
        return judge(old, self.today, trial, self.own, direction="backward", of=MANIFEST, basis=basis)

    def kept(self, golden: Golden) -> Verdict:
        """Judge a golden."""
        old = manifest_of(self.request.directory, golden)
        with fetch(self.request.directory, golden, self.written.path.name, self._directory) as path:
            trial = attempt(self.plan, path, old.holds, golden.at)
        losses = compare_losses(golden, trial.losses, conditions_here())
        if losses.agree is False:  # Nobody is accused of training that does not repeat itself.
            with fetch(self.request.directory, golden, self.written.path.name, self._directory) as path:
                again = attempt(self.plan, path, old.holds, golden.at)
            if again.losses != trial.losses:
                losses = replace(losses, agree=None)
        basis: Basis = "a kept checkpoint"
        return judge(
            old,
            self.today,
            trial,
            self.own,
            direction="backward",
            of=golden.name,
            basis=basis,
            losses=losses,
        )

    def losses(self) -> tuple[tuple[str, ...], ...]:
        """Return what the steps after a load of today's checkpoint return; nothing if that does not repeat itself."""
        path = self._copy("again")
        again = attempt(self.plan, path, self.today.holds, self.today.at)
        return self.own.losses if again.losses == self.own.losses else ()
