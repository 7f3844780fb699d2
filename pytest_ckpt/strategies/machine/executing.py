"""What each event does to a run, and what is compared after it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from pytest_ckpt.checks.losses import is_hard
from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.overwriting import contents
from pytest_ckpt.runs import LiveRun, build
from pytest_ckpt.runs.background import BackgroundSaves
from pytest_ckpt.runs.distinct import require_distinct_runs
from pytest_ckpt.runs.following import follow_replaced
from pytest_ckpt.spine import load_into, without_noted
from pytest_ckpt.state import StateTree, capture
from pytest_ckpt.strategies.machine.changes import make_again
from pytest_ckpt.strategies.machine.checkpoints import Checkpoint, age, replaces, save_to
from pytest_ckpt.strategies.machine.differences import is_trained, trait_mismatches
from pytest_ckpt.strategies.machine.events import (
    STEP,
    Change,
    Evaluate,
    Event,
    Lineage,
    Load,
    Moment,
    Overwrite,
    Restart,
    Save,
    StartOver,
    Train,
)
from pytest_ckpt.strategies.machine.finding import Finding, Kind, outline
from pytest_ckpt.strategies.machine.histories import Histories, perform
from pytest_ckpt.strategies.machine.manner import Manner
from pytest_ckpt.trips import (
    FIRST_SEED,
    CallFailed,
    Plan,
    fresh_seed,
    new_path,
    stage,
)

__all__ = ["Abandoned", "Execution"]


class Abandoned(Exception):
    """The program cannot go on, and no checkpoint is to blame."""


class Execution:
    """One process after another, as a program says."""

    def __init__(self, plan: Plan, histories: Histories, manner: Manner, directory: Path) -> None:
        self.plan, self.histories, self.manner, self.directory = plan, histories, manner, directory
        self.position, self.moment = -1, Moment()
        self.background = BackgroundSaves()
        self.checkpoints: list[Checkpoint] = []
        self.origin: Checkpoint | None = None
        self.trained_since = False
        self.have_loaded: list[LiveRun] = []
        self.processes = 0
        self.changed_traits: frozenset[str] = frozenset()
        self.run = self.first = build(plan.make_run, FIRST_SEED)

    def do(self, event: Event, moment: Moment) -> Finding | None:
        """Let the next event happen and compare what can be compared at the moment after it."""
        self.position, self.moment = self.position + 1, moment
        lineage = moment.lineage
        match event:
            case Train(steps=steps):
                begun = range(len(lineage) - steps, len(lineage))
                return next(filter(None, (self._train(STEP, lineage[: number + 1]) for number in begun)), None)
            case Evaluate() | Change():
                return self._train(event, lineage)
            case Save():
                return self._save()
            case Overwrite(checkpoint=number):
                self._overwrite(number)
            case Restart(checkpoint=number):
                return self._restart(self.checkpoints[number])
            case Load(checkpoint=number):
                return self._load(self.checkpoints[number])
            case StartOver():
                self._end_process()
                self.run, self.origin, self.trained_since = build(self.plan.make_run, FIRST_SEED), None, False
        return None

    def _train(self, event: Train | Evaluate | Change, lineage: Lineage) -> Finding | None:
        try:
            with self.background.yielding() if self.background.busy else nullcontext():
                record = perform(self.run, event)
            self.background.release()
        except CallFailed as failure:
            return self._raised(failure)
        self.trained_since = self.trained_since or isinstance(event, Train)
        if not self.moment.exact:
            return None
        diff = compare(self.histories.record(lineage), record, traits=False)
        return self._finding("step" if isinstance(event, Train) else "prediction", diff)

    def _save(self) -> Finding | None:
        path = new_path(self.directory, f"checkpoint-{len(self.checkpoints)}", self.plan.storage)
        try:
            self.checkpoints.append(self._save_to(path))
        except CallFailed as failure:
            # A program that saves what its last step left behind never saves before that.
            return self._raised(failure, mine=self.trained_since and not self.checkpoints)
        return None

    def _overwrite(self, number: int) -> None:
        old = self.checkpoints[number]
        self.background.wait(self.directory)
        if not replaces(old, self.moment):
            raise Abandoned
        before = age(old.path.parent)
        try:
            self.checkpoints[number] = self._save_to(old.path)
        except CallFailed as refusal:
            raise Abandoned from refusal
        self.background.wait(self.directory)
        if contents(old.path.parent) in ({}, before):
            raise Abandoned  # It keeps its first; or its last alone, and takes this path for an earlier one.

    def _save_to(self, path: Path) -> Checkpoint:
        return save_to(
            path,
            plan=self.plan,
            run=self.run,
            moment=self.moment,
            background=self.background,
            closely=self.manner.closely,
        )

    def _restart(self, checkpoint: Checkpoint) -> Finding | None:
        self._end_process()
        self.run = build(self.plan.make_run, fresh_seed(self.processes))
        require_distinct_runs(self.first, self.run)
        changes = [event.name for event in checkpoint.moment.lineage if isinstance(event, Change)]
        try:
            with stage("making its changes again"):
                if not self.manner.late:
                    make_again(changes, self.run.components)
                loaded = self._load_into_run(checkpoint)
                if self.manner.late:
                    make_again(changes, self.run.components)
        except CallFailed as failure:
            return self._raised(failure, mine=not changes and len(self.checkpoints) == 1)
        self.trained_since = False
        found = self._finding("state", self._lost(checkpoint, loaded))
        if found is not None or changes or not self.moment.exact:
            return found
        traits = tuple(trait_mismatches(checkpoint.tree, capture(self.run.components, hidden=False)))
        self.changed_traits = frozenset(mismatch.path for mismatch in traits)
        return self._finding("traits", traits)

    def _load(self, checkpoint: Checkpoint) -> Finding | None:
        self.background.wait(self.directory)
        try:
            loaded = self._load_into_run(checkpoint)
        except CallFailed as refusal:
            raise Abandoned from refusal
        self.trained_since = False
        # Before its first step a run may have nothing to save, and nothing for a load to replace.
        lost = self._lost(checkpoint, loaded) if checkpoint.steps else ()
        return self._finding("over", (m for m in lost if m.tensor))

    def _load_into_run(self, checkpoint: Checkpoint) -> StateTree:
        self.origin = checkpoint
        saved = checkpoint.saved
        self.have_loaded.append(self.run)
        if self.manner.closely and any(saved.run is run for run in self.have_loaded):
            saved = replace(saved, run=self._untouched_run())
        loaded = load_into(self.plan, self.run, saved, checkpoint.steps)
        # What a load has put in place of a part may hold the same as that part did.
        if self.manner.closely and follow_replaced(self.run, saved.run):
            loaded = capture(self.run.components, hidden=False)
        return loaded

    def _untouched_run(self) -> LiveRun:
        """Return a run that has loaded nothing, to see by it which parts a load replaces; it leaves no trace."""
        ambient = self.plan.ambient()
        run = build(self.plan.make_run, FIRST_SEED)
        self.plan.set_ambient(ambient)
        return run

    def _lost(self, checkpoint: Checkpoint, loaded: StateTree) -> tuple[Mismatch, ...]:
        # What a save writes may depend, too, on what a load into a run that had trained has left in it.
        found = compare(checkpoint.tree.state, loaded.state, traits=False).mismatches if checkpoint.moment.exact else ()
        if not found or not self.manner.closely:
            return found
        again = compare(loaded.state, capture(self.run.components, hidden=False).state, traits=False)
        volatile = {mismatch.path for mismatch in again}
        steady = tuple(mismatch for mismatch in found if mismatch.path not in volatile)
        return without_noted(steady, checkpoint.tree, checkpoint.saved.after.get(checkpoint.steps), loaded)

    def compare_the_end(self) -> Finding | None:
        """Compare the components with those of the run that never stopped."""
        self.background.wait(self.directory)
        if not self.moment.exact or not (self.trained_since or self.origin is None):
            return None
        expected, actual = self.histories.end(self.moment.lineage), capture(self.run.components, hidden=False)
        found = self._finding("end", self._differs_at_the_end(expected, actual))
        if found is not None or not self.changed_traits:
            return found
        late = trait_mismatches(expected, actual)
        return self._finding("traits", (m for m in late if m.path in self.changed_traits))

    def _differs_at_the_end(self, expected: StateTree, actual: StateTree) -> tuple[Mismatch, ...]:
        found = compare(expected.state, actual.state, traits=False).mismatches
        if self.origin is None:
            return tuple(m for m in found if m.tensor and is_trained(self.run, expected, m.path))
        if not found or not self.manner.closely:
            return found
        # A component may count the saves that the run never made that did not stop.
        if (saving := self.histories.saving_end(self.moment.history)) is None:
            return ()
        also = {mismatch.path for mismatch in compare(saving.state, actual.state, traits=False)}
        return tuple(mismatch for mismatch in found if mismatch.path in also)

    def _end_process(self) -> None:
        self.background.wait(self.directory)
        self.processes += 1

    def _finding(self, kind: Kind, mismatches: Iterable[Mismatch]) -> Finding | None:
        spared = self.manner.spared if self.trained_since else self.manner.spared | self.manner.healing
        found = tuple(m for m in mismatches if outline(m) not in spared)
        if kind in ("state", "over", "end"):
            found = tuple(filter(is_hard, found))
        return self._report(kind, mismatches=found) if found else None

    def _raised(self, failure: CallFailed, *, mine: bool = True) -> Finding:
        if not mine or not self.moment.exact:
            raise Abandoned from failure
        return self._report("raised", failure=(str(failure), *failure.where))

    def _report(self, kind: Kind, *, mismatches: tuple[Mismatch, ...] = (), failure: tuple[str, ...] = ()) -> Finding:
        return Finding(
            kind=kind,
            position=self.position,
            step=self.run.steps_done,
            saved_after=None if self.origin is None else self.origin.steps,
            mismatches=mismatches,
            failure=failure,
        )
