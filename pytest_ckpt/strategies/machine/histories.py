"""The run that never stops, with any changes on its way: what every other one is compared with."""

from __future__ import annotations

from functools import partial
from typing import Any

from pytest_ckpt.runs import LiveRun, build
from pytest_ckpt.spine import save_and_wait
from pytest_ckpt.state import StateTree, capture, get_random_state, seed_everything, set_random_state
from pytest_ckpt.strategies.machine.changes import make_change
from pytest_ckpt.strategies.machine.events import STEP, Change, Evaluate, Lineage, Program, Train
from pytest_ckpt.trips import FIRST_SEED, CallFailed, Plan, new_path, stage, workspace

__all__ = ["Histories", "perform"]

# States of whole models; a program compares at most as many as it has events.
_MOST_ENDS = 50


class Histories:
    """Runs that were never interrupted, by their lineage; what one of them did is kept for the next program."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._records: dict[Lineage, Any] = {}
        self._ends: dict[Lineage, StateTree] = {}
        self._saving_ends: dict[Program, StateTree] = {}
        self._impossible: set[Lineage] = set()

    def make_room(self) -> None:
        """Forget what programs rarely share, once it is much: it can be had again."""
        if len(self._ends) + len(self._saving_ends) <= _MOST_ENDS:
            return
        self._saving_ends.clear()
        for kept in (self._records, self._ends):
            for lineage in [lineage for lineage in kept if any(event != STEP for event in lineage)]:
                del kept[lineage]

    def train(self, lineage: Lineage) -> bool:
        """Train a run without a stop, unless that was done; say whether it could."""
        if lineage in self._ends:
            return True
        if any(lineage[:length] in self._impossible for length in range(len(lineage) + 1)):
            return False
        done = 0
        try:
            with workspace():
                run = build(self._plan.make_run, FIRST_SEED)
                for done in range(len(lineage)):
                    self._records.setdefault(lineage[: done + 1], perform(run, lineage[done]))
                self._ends[lineage] = capture(run.components, hidden=False)
        except CallFailed:
            self._impossible.add(lineage[: done + 1])
            return False
        return True

    def save_on_the_way(self, history: Program) -> None:
        """Train a run without a stop that saves where a history says, unless that was done or it cannot."""
        if history in self._saving_ends:
            return
        try:
            with workspace() as directory:
                run = build(self._plan.make_run, FIRST_SEED)
                for number, event in enumerate(history):
                    if isinstance(event, Train | Evaluate | Change):
                        perform(run, event)
                    else:
                        with stage("save(path)"):
                            path = new_path(directory, f"checkpoint-{number}", self._plan.storage)
                            save_and_wait(self._plan, run, path)
                self._saving_ends[history] = capture(run.components, hidden=False)
        except CallFailed:
            return

    def saving_end(self, history: Program) -> StateTree | None:
        """Return the state at the end of a history, if a run got there."""
        return self._saving_ends.get(history)

    def knows(self, lineage: Lineage) -> bool:
        """Whether the record of the last event of a lineage is there."""
        return not lineage or lineage in self._records

    def record(self, lineage: Lineage) -> Any:
        """Return what the last event of a lineage gave."""
        return self._records[lineage]

    def end(self, lineage: Lineage) -> StateTree:
        """Return the state at the end of a lineage."""
        return self._ends[lineage]


def perform(run: LiveRun, event: Train | Evaluate | Change) -> Any:
    """Do one thing that training consists of, and return its record.

    Raises:
        CallFailed: If the project's code raises.
    """
    match event:
        case Train(steps=steps):
            with stage(f"step({run.steps_done})"):
                return run.train(run.steps_done + steps)[-1]
        case Evaluate():
            with stage("predict()"):
                return {"prediction": _predict(run)}
        case Change(name=name):
            with stage(name):
                return {"prediction": make_change(name, run.components, partial(_predict, run))}
    return {}


def _predict(run: LiveRun) -> Any:
    """Predict under a fixed seed; what that draws is no part of training."""
    random_state = get_random_state()
    seed_everything(FIRST_SEED)
    try:
        return run.predict()
    finally:
        set_random_state(random_state)
