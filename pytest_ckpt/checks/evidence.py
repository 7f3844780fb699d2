"""What was seen of one run in one format; made on first use and shared by the checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

from pytest_ckpt.checks.losses import concerns_training, hard
from pytest_ckpt.checks.newness import Afresh, Luggage, look_afresh
from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.diagnosis import Needs, component_kinds, find_needs
from pytest_ckpt.formats.leaves import leaves
from pytest_ckpt.generations import Generations, Predictions, compare_generations, compare_predictions
from pytest_ckpt.overwriting import LoadedOver, SavedOver, load_over, save_over
from pytest_ckpt.paths import spell
from pytest_ckpt.runs import build
from pytest_ckpt.runs.storage import OWN
from pytest_ckpt.second_resume import resume_twice, two_points
from pytest_ckpt.spine import first_divergence, interrupt, uninterrupted
from pytest_ckpt.state import capture
from pytest_ckpt.trips import (
    FIRST_SEED,
    CallFailed,
    Interruption,
    Plan,
    Trajectory,
    Trip,
    save_stage,
    workspace,
)

__all__ = ["Evidence"]


class Evidence:
    """The runs behind the checks of one ``make_run`` in one format, each made at most once.

    Attributes:
        plan: What is run.
        device: The device the runs are made on; empty for their own choice.
        luggage: What new processes need, or why there is none.
        moving: Makes a run on the device it is called with; ``None`` if ``make_run`` takes none.
        explain: Whether anybody wants to know what is to blame: finding it out takes longer than the verdict.
    """

    def __init__(
        self,
        plan: Plan,
        device: str = "",
        *,
        explain: bool = True,
        luggage: Luggage | str = "It was not packed.",
        moving: Callable[..., Any] | None = None,
    ) -> None:
        self.plan, self.luggage, self.moving = plan, luggage, moving
        self.device = device
        self.explain = explain
        self._settled: dict[int, Trip] = {}

    @cached_property
    def refusal(self) -> str | None:
        """Why the format cannot keep this run, at its beginning or at its end; ``None`` if it can."""
        if self.plan.storage.name == OWN:
            return None
        with workspace():
            run = build(self.plan.make_run, FIRST_SEED)
            if (reason := self.plan.storage.refuses(run)) is None:
                run.train(max(self.plan.at))
                reason = self.plan.storage.refuses(run)
            return reason

    @cached_property
    def reference(self) -> Trajectory:
        """The run that never stopped and never saved."""
        with workspace():
            return uninterrupted(self.plan)

    @cached_property
    def interruption(self) -> Interruption:
        """The run that saved at every step, and what became of each checkpoint."""
        first = self._interrupt()
        if first.failure is None or first.failure.stage != save_stage(0) or len(self.plan.at) == 1:
            return first
        # A program that saves what its last step left behind never saves before the first one.
        self.plan = replace(self.plan, at=self.plan.at[1:])
        note = f"Not resumed from 0 steps, since an untrained run cannot be saved: {first.failure}."
        return replace(self._interrupt(), notes=(note,))

    def _interrupt(self) -> Interruption:
        try:
            with workspace() as directory:
                return interrupt(self.plan, directory, self.reference)
        except CallFailed as failure:
            return Interruption(failure=failure)

    @cached_property
    def trips(self) -> tuple[Trip, ...]:
        """The trips; one whose checkpoint could not be loaded is repeated alone.

        A project that keeps its last few files has deleted the earlier ones by then.
        """
        return tuple(self.settle(t.at) if t.failure is not None else t for t in self.interruption.trips)

    @cached_property
    def unstable(self) -> tuple[Mismatch, ...]:
        """How two further uninterrupted runs differ from the first: what no checkpoint is to blame for."""
        found: dict[str, Mismatch] = {}
        for _ in range(2):
            with workspace():
                again = uninterrupted(self.plan)
            if (divergence := first_divergence(self.reference, again)) is not None:
                found |= {m.path: m for m in divergence.mismatches}
            rest = compare(self.reference.end.state, again.end.state, traits=False)
            found |= {m.path: m for m in rest}
        return tuple(found.values())

    @cached_property
    def unstable_paths(self) -> tuple[str, ...]:
        """The paths of :attr:`unstable`."""
        return tuple(mismatch.path for mismatch in self.unstable)

    @cached_property
    def nondeterministic(self) -> bool:
        """Whether training itself does not repeat."""
        return concerns_training(self.unstable, self.reference.end)

    @cached_property
    def afresh(self) -> Afresh:
        """What became of checkpoints in new processes."""
        return look_afresh(self)

    @cached_property
    def training_moves(self) -> bool:
        """Whether training changes a result or a component's state."""
        records = self.reference.records
        if any(compare(records[0], record, traits=False) for record in records[1:]):
            return True
        with workspace():
            start = capture(build(self.plan.make_run, FIRST_SEED).components, hidden=False)
        return bool(compare(start.state, self.reference.end.state, traits=False))

    @cached_property
    def predictions(self) -> Predictions | None:
        """What the run predicted before saving and after loading."""
        with workspace() as directory:
            return compare_predictions(self.plan, directory)

    @cached_property
    def generations(self) -> Generations:
        """What a loaded run, saved again, loads as."""
        with workspace() as directory:
            return compare_generations(self.plan, directory)

    @cached_property
    def loaded_over(self) -> LoadedOver:
        """What became of a run that had trained before it loaded a checkpoint."""
        with workspace() as directory:
            return load_over(self.plan, directory)

    @cached_property
    def saved_over(self) -> SavedOver | None:
        """What became of a checkpoint that was saved over an earlier one."""
        with workspace() as directory:
            return save_over(self.plan, directory)

    @cached_property
    def needs(self) -> Needs:
        """What a resumed run needs of its checkpoint beside its models and their optimizers, which it surely needs."""
        return self._needs(tuple(name for name, kind in self.kinds.items() if kind not in ("module", "optimizer")))

    @cached_property
    def all_needs(self) -> Needs:
        """What a resumed run needs of its checkpoint."""
        return self._needs(tuple(self.kinds))

    def _needs(self, names: tuple[str, ...]) -> Needs:
        try:
            with workspace() as directory:
                return find_needs(self.plan, directory, names)
        except Exception as error:  # Worth a note at most: the project's code is called in an unusual order here.
            return Needs(at=self.plan.at[0], stopped=f"{type(error).__name__}: {error}")

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Component name to its kind, for advice."""
        with workspace():
            return component_kinds(build(self.plan.make_run, FIRST_SEED).components)

    def lost(self, mismatches: tuple[Mismatch, ...]) -> tuple[Mismatch, ...]:
        """Return the differences that are losses; numbers and strings that no two runs share are none."""
        losses = hard(mismatches)
        return tuple(m for m in losses if m.tensor or m.path not in self.unstable_paths) if losses else ()

    @cached_property
    def _leaves(self) -> tuple[str, ...]:
        return tuple(spell(keys) for keys, _ in leaves(self.reference.end.state))

    def declared(self, path: str) -> bool:
        """Whether a component's state dict holds a path, what it leads to, or what leads to it."""
        inside = (f"{path}.", f"{path}[")
        return any(leaf == path or leaf.startswith(inside) or path.startswith(f"{leaf}[") for leaf in self._leaves)

    def component_of(self, path: str) -> str:
        """Return the component a path belongs to."""
        owners = [name for name in self.kinds if path == name or path.startswith((f"{name}.", f"{name}["))]
        return max(owners, key=len, default=path)

    @cached_property
    def second_resume(self) -> Trip:
        """The run that was resumed twice."""
        try:
            with workspace() as directory:
                return resume_twice(self.plan, directory, self.reference, self.unstable_paths)
        except CallFailed as failure:
            return Trip(at=two_points(self.plan)[1], failure=failure)

    def together(self, at: int) -> Trip:
        """Repeat one trip among all the saves of one run, against that run itself."""
        with workspace() as directory:
            trips = interrupt(self.plan, directory, self.reference, self.unstable_paths).trips
        return next(trip for trip in trips if trip.at == at)

    def settle(self, at: int) -> Trip:
        """Repeat one trip alone: one save, and the saving run itself as the reference.

        The quick pass saves several times in one run; what only that brings about, such as a project that
        keeps its last three files, is no fault of this checkpoint.
        """
        if at not in self._settled:
            with workspace() as directory:
                trip = interrupt(self.only(at), directory, unstable=self.unstable_paths).trips[0]
            self._settled[at] = trip
        return self._settled[at]

    def only_saving_differs(self, at: int) -> bool:
        """Whether the resumed run is the run that never saved, so that the save itself is at fault."""
        with workspace() as directory:
            trip = interrupt(self.only(at), directory, self.reference, self.unstable_paths).trips[0]
        return trip.failure is None and trip.divergence is None and not hard(trip.end)

    def only(self, at: int) -> Plan:
        """Return the plan with one save."""
        return replace(self.plan, at=(at,))
