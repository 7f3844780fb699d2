"""Whether a finding is a loss, or something that a correct program does as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from pytest_ckpt.checks import CHECKS, Evidence
from pytest_ckpt.comparison import compare
from pytest_ckpt.runs import LiveRun, MakeRun, as_training_run, build, isolated, require_factory
from pytest_ckpt.runs.shared_state import SharedState
from pytest_ckpt.runs.storage import storage_for
from pytest_ckpt.strategies.machine.calls import try_calls
from pytest_ckpt.strategies.machine.changes import CHANGES
from pytest_ckpt.strategies.machine.events import (
    Change,
    Load,
    Program,
    Restart,
    Save,
    Train,
    joined,
    moments,
    saved_moments,
)
from pytest_ckpt.strategies.machine.finding import Finding, outline
from pytest_ckpt.strategies.machine.histories import Histories
from pytest_ckpt.strategies.machine.manner import Manner
from pytest_ckpt.strategies.machine.programs import execute, passes
from pytest_ckpt.strategies.machine.subject import Subject
from pytest_ckpt.trips import FIRST_SEED, Plan

__all__ = ["Court"]

_ROUNDS = 12


class Court:
    """Judges programs of one ``make_run``, each at most once: shrinking asks for the same ones again and again.

    Attributes:
        proven: The program that was judged in full last, and lost something.
    """

    def __init__(
        self, make_run: MakeRun, *, steps: int, at: tuple[int, ...], ignore: tuple[str, ...], form: str
    ) -> None:
        require_factory(make_run)
        self.make_run, self.steps, self.at = make_run, steps, at
        self._ignore, self._form = ignore, form
        self.proven: Program = ()
        self._verdicts: dict[Program, Finding | None] = {}
        self._known: set[tuple[str, str]] = set()

    @cached_property
    def trial(self) -> LiveRun:
        """A run, to look at what it has."""
        return self._opened[0]

    @cached_property
    def plan(self) -> Plan:
        """What is run."""
        return self._opened[1]

    @cached_property
    def _opened(self) -> tuple[LiveRun, Plan]:
        with isolated():
            shared = SharedState(self.make_run)
            run = build(shared.fresh, FIRST_SEED)
            storage = storage_for(run, self._form)
        trains = run.definition.step is not None
        return run, Plan(
            make_run=shared.fresh,
            steps=self.steps if trains else 0,
            at=self.at if trains else (0,),
            storage=storage,
            ignore=self._ignore,
            shared=shared,
        )

    @cached_property
    def subject(self) -> Subject:
        """What is printed of the run."""
        with isolated():
            made = self.make_run()
            components = as_training_run(made).components
        return Subject(
            make_run=self.make_run,
            made=made,
            components=dict(components() if callable(components) else components),
            storage=self.plan.storage.name,
            suffix=self.plan.storage.suffix,
            whole=self.plan.storage.form is not None and self.plan.storage.form.whole,
            calls=try_calls(self.plan),
        )

    def possible(self, changes: Sequence[str]) -> list[str]:
        """Return those of some changes for which the run has what they need."""
        return [name for name in changes if CHANGES[name].applies(self.trial.components)]

    @cached_property
    def evidence(self) -> Evidence:
        """What is known of the run beside programs."""
        return Evidence(self.plan)

    @cached_property
    def histories(self) -> Histories:
        """The runs that never stopped."""
        return Histories(self.plan)

    @cached_property
    def _keeps_what_was_there(self) -> bool:
        """Whether the check of the same question fails; a run that has grown meanwhile need not be able to go back."""
        return CHECKS["loading_overwrites_everything"].run(self.evidence).failed

    def judge(self, program: Program) -> Finding | None:
        """Return what a program loses, or ``None``."""
        for length in range(1, len(program)):
            # What shows before the end shows whatever follows.
            if (known := self._verdicts.get(program[:length])) is not None and known.kind != "end":
                return known
        if program not in self._verdicts:
            idle = Save() not in program or self.evidence.refusal is not None
            finding = None if idle else self._judge(program)
            self._verdicts[program] = finding
            if finding is not None:
                self._verdicts[program[: finding.position + 1]] = finding
                self._known |= {(finding.kind, path) for path in finding.paths}
        return self._verdicts[program]

    def _judge(self, program: Program) -> Finding | None:
        suspicion = execute(self.plan, self.histories, program, Manner())
        if suspicion is None or self.evidence.nondeterministic:
            return None
        if any((suspicion.kind, path) in self._known for path in suspicion.paths):
            # Judged before, in a longer program: to shrink it need not be judged again.
            return suspicion
        return self.settle(program)

    def settle(self, program: Program) -> Finding | None:
        """Judge a program in full: the finding must come again, and no correct program may do the same."""
        manner = Manner(closely=True, spared=frozenset(self.evidence.unstable_paths))
        for _ in range(_ROUNDS):
            finding = execute(self.plan, self.histories, program, manner)
            if finding is None:
                return None
            if self._is_loss(program[: finding.position + 1], finding, manner):
                self.proven = program[: finding.position + 1]
                return finding
            if not finding.paths:
                return None
            manner = replace(manner, spared=manner.spared | finding.paths)
        return None

    def _is_loss(self, program: Program, finding: Finding, manner: Manner) -> bool:
        if Save() not in program or (finding.paths and finding.paths <= self._unstable(program)):
            return False
        made_again = any(isinstance(event, Change) and CHANGES[event.name].again for event in program)
        # A script may make its changes before it loads or after that.
        if made_again and passes(self.plan, self.histories, program, replace(manner, late=True)):
            return False
        if finding.kind == "over":
            return self._is_right_in_a_fresh_run(program, finding, manner)
        if finding.kind == "raised" and program.count(Save()) > 1:
            return self.judge(_alone(program)) is not None
        return not finding.soft or self._lasts(program, finding, manner)

    def _unstable(self, program: Program) -> frozenset[str]:
        """Return the paths in which two runs differ that go the program's way and never stop."""
        *_, now = moments(program)
        again = Histories(self.plan)
        if not (self.histories.train(now.lineage) and again.train(now.lineage)):
            return frozenset()
        states = (self.histories.end(now.lineage).state, again.end(now.lineage).state)
        diffs = [compare(*states, traits=False)]
        if now.lineage:
            records = (self.histories.record(now.lineage), again.record(now.lineage))
            diffs.append(compare(*records, traits=False))
        return frozenset(outline(mismatch) for diff in diffs for mismatch in diff)

    def _lasts(self, program: Program, finding: Finding, manner: Manner) -> bool:
        """Whether training to the end does not put it right."""
        left = self.plan.steps - finding.step
        longer = (*program, Train(steps=left)) if left > 0 else program
        return execute(self.plan, self.histories, longer, replace(manner, healing=finding.paths)) is not None

    def _is_right_in_a_fresh_run(self, program: Program, finding: Finding, manner: Manner) -> bool:
        loaded = program[-1]
        assert isinstance(loaded, Load)
        restarted = (*program[:-1], Restart(checkpoint=loaded.checkpoint))
        fresh = execute(self.plan, self.histories, restarted, manner)
        if not self._keeps_what_was_there:
            return False
        return fresh is None or not fresh.paths & finding.paths


def _alone(program: Program) -> Program:
    """Return the program that saves once, where the checkpoint was saved that the program came from last."""
    last = next(event for event in reversed(program) if isinstance(event, Restart | Load))
    lineage = saved_moments(program)[last.checkpoint].lineage
    return (*joined(lineage), Save(), Restart(checkpoint=0))
