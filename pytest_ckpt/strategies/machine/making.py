"""``checkpoint_machine()``: Hypothesis trains, saves, loads and restarts a run until it loses something."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import ClassVar

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from pytest_ckpt.checks import Outcomes
from pytest_ckpt.errors import CheckpointFailure, UsageError
from pytest_ckpt.runs import MakeRun
from pytest_ckpt.strategies.machine.changes import CHANGES
from pytest_ckpt.strategies.machine.events import Event, Program
from pytest_ckpt.strategies.machine.explaining import explain
from pytest_ckpt.strategies.machine.final import is_final
from pytest_ckpt.strategies.machine.finding import Finding
from pytest_ckpt.strategies.machine.offering import next_events
from pytest_ckpt.strategies.machine.shrinking import shorten
from pytest_ckpt.strategies.machine.verdicts import Court
from pytest_ckpt.strategies.profiles import QUICK

__all__ = ["checkpoint_machine"]


class CheckpointMachine(RuleBasedStateMachine):
    """A training run and what happens to it; each step notes one event, and the end executes and judges them all.

    There is one rule: Hypothesis leaves some rules out of each example, and one without training shows nothing.
    """

    court: ClassVar[Court]
    changes: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        super().__init__()
        self.program: Program = ()

    @rule(event=st.runner().flatmap(lambda self: next_events(self.court, self.changes, self.program)))
    def then(self, event: Event) -> None:
        """Note what happens next."""
        self.program = (*self.program, event)

    def teardown(self) -> None:
        """Execute what was noted, unless Hypothesis has given the example up.

        Raises:
            CheckpointFailure: If the program loses state.
        """
        if sys.exc_info()[0] is not None:
            return
        finding = self.court.judge(self.program)
        if finding is not None:
            raise self._failure(finding)

    def _failure(self, finding: Finding) -> CheckpointFailure:
        if not is_final():
            return CheckpointFailure("not the shortest program yet", Outcomes(items=()))
        # Judged in full, which shrinking did not.
        program = self.program[: finding.position + 1]
        program = program if self.court.settle(program) is not None else self.court.proven
        program = shorten(self.court, program)
        finding = self.court.settle(program) or finding
        outcomes, text = explain(self.court, program[: finding.position + 1], finding)
        return CheckpointFailure(text, outcomes)


def checkpoint_machine(
    make_run: MakeRun,
    *,
    steps: int = 6,
    at: Iterable[int] | None = None,
    ignore: Iterable[str] = (),
    format: str = "",
    changes: Iterable[str] = ("swap_averages",),
) -> type[RuleBasedStateMachine]:
    """Return a Hypothesis state machine that looks for the shortest program of events that loses state.

    Hypothesis lets the run train, predict, save, restart from any of its checkpoints or from nothing, and load one into
    the run as it is. What it does is compared with a run that trains in the same way and never stops.

        TestCheckpoints = checkpoint_machine(make_run).TestCase

    Args:
        make_run: Makes a fresh run, as for :func:`~pytest_ckpt.check_training_run`.
        steps: Training steps between a run's beginning and its end.
        at: The steps to save after; default: all from 0 to ``steps - 1``.
        ignore: Globs of paths that the project chooses not to restore; they are carried over from the saved run.
        format: The format to save in; default: the run's own ``save`` and ``load``, or ``torch`` where it has none.
        changes: What the program changes between two steps, of ``halve_learning_rates``, ``freeze``, ``unfreeze``,
            ``add_group``, ``tie_weights``, ``round_weights``, ``step_schedulers`` and ``swap_averages``. A program that
            never changes its learning rate need not save it, so only what leaves everything as it was is tried
            where nothing is named.

    Raises:
        UsageError: If an option makes no sense.
    """
    points = tuple(range(steps)) if at is None else tuple(sorted(set(at)))
    if steps < 1 or not points or not all(0 <= point <= steps for point in points):
        raise UsageError(
            f"checkpoint_machine(steps={steps}, at={points}): save after 0 to {steps} steps, of at least 1."
        )
    court = Court(make_run, steps=steps, at=points, ignore=tuple(ignore), form=format)
    named = frozenset(changes)
    if unknown := sorted(named - CHANGES.keys()):
        raise UsageError(f"There is no change {unknown[0]!r}. There are {', '.join(sorted(CHANGES))}.")
    factory = getattr(make_run, "func", make_run)
    name = f"Checkpoints_of_{getattr(factory, '__name__', type(factory).__name__)}".replace("<lambda>", "lambda")
    machine: type[RuleBasedStateMachine] = type(
        name, (CheckpointMachine,), {"court": court, "changes": tuple(sorted(named))}
    )
    machine.TestCase.settings = _quick()
    return machine


def _quick() -> settings:
    """Return the active settings, with those of :data:`QUICK` where nobody chose other ones than Hypothesis's own."""
    chosen, usual = settings(), settings.get_profile("default")
    names = ("max_examples", "stateful_step_count", "suppress_health_check", "print_blob")
    quick = {name: getattr(QUICK, name) for name in names if getattr(chosen, name) == getattr(usual, name)}
    # It would execute dozens of further programs, to say which lines of this package ran in all that fail.
    phases = [phase for phase in chosen.phases if phase is not Phase.explain]
    return settings(chosen, **quick, deadline=None, phases=phases)
