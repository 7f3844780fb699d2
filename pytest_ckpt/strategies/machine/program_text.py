"""A program of events as Python that a person can paste and run: it ends with what does not hold."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_ckpt.strategies.machine.changes import CHANGES
from pytest_ckpt.strategies.machine.events import (
    Change,
    Evaluate,
    Event,
    Lineage,
    Load,
    Overwrite,
    Program,
    Restart,
    Save,
    StartOver,
    Train,
    moments,
    steps_in,
)
from pytest_ckpt.strategies.machine.finding import Finding
from pytest_ckpt.strategies.machine.program_head import Need, program_head
from pytest_ckpt.strategies.machine.subject import Subject
from pytest_ckpt.trips import FIRST_SEED, fresh_seed

__all__ = ["program_text"]


def program_text(subject: Subject, program: Program, finding: Finding, *, late: bool, ignore: bool) -> str:
    """Return the source of a file that executes a program and fails as it did.

    Args:
        subject: What it is about.
        program: The events, up to the one after which the finding shows.
        finding: What was found.
        late: Whether the threads that save starts are to write after training has gone on.
        ignore: Whether something is carried over from run to run, which the file does not do.
    """
    changes = any(isinstance(event, Change) for event in program)
    need = Need(
        records=finding.kind == "step" and not isinstance(program[-1], Change),
        predictions=changes or any(isinstance(event, Evaluate) for event in program),
        changes=changes,
        threads=late,
        waits=subject.calls.threads,
    )
    writer = _Writer(subject=subject, finding=finding, late=late)
    body = [*writer.reference(list(moments(program))[-1].lineage), *writer.events(program), "", *writer.assertion()]
    note = ["# What ignore= names is carried over by the machine; it is not here."] if ignore else []
    return "\n".join([*program_head(subject, need), *note, "", *body])


class _Writer:
    """Writes the lines that make the events happen."""

    def __init__(self, *, subject: Subject, finding: Finding, late: bool) -> None:
        self.subject, self.calls, self.finding, self.late = subject, subject.calls, finding, late
        self.own = subject.storage == "own"
        self.expected = ""
        self.recorded = finding.kind in ("step", "prediction")

    def reference(self, lineage: Lineage) -> Iterator[str]:
        """Write the run that never stops, where it is what the program is compared with."""
        if self.finding.kind not in ("step", "prediction", "end", "traits"):
            return
        yield f"run = start({FIRST_SEED})  # it never stops"
        if self.recorded:
            # They part there, and there it ends.
            lineage = lineage[: len(lineage) - steps_in(lineage) + self.finding.step]
        *before, last = lineage or (None,)
        step = 0
        for event in before:
            yield self._perform(event, step)
            step += isinstance(event, Train)
        if last is not None:
            yield ("expected = " if self.recorded else "") + self._perform(last, step, recorded=self.recorded)
        if not self.recorded:
            yield "expected = state(run)"
        yield ""

    def events(self, program: Program) -> Iterator[str]:
        yield f"run = start({FIRST_SEED})"
        before: Lineage = ()
        processes = saves = 0
        for position, (event, moment) in enumerate(zip(program, moments(program), strict=True)):
            last = position == len(program) - 1
            match event:
                case Train(steps=steps):
                    first = sum(isinstance(e, Train) for e in before)
                    numbers = range(first, self.finding.step if last and self.recorded else first + steps)
                    for number in numbers:
                        asked = last and self.recorded and number == numbers[-1]
                        yield ("actual = " if asked else "") + self._perform(event, number, recorded=asked)
                case Evaluate() | Change():
                    asked = last and self.recorded
                    yield ("actual = " if asked else "") + self._perform(event, 0)
                case Save():
                    yield from self._save(saves, f'new_path("{saves}")')
                    saves += 1
                case Overwrite(checkpoint=number):
                    yield from self._save(number, f'path_of("{number}")')
                case _:
                    processes += isinstance(event, Restart | StartOver)
                    yield from self._go_back(event, processes, moment.lineage)
            before = moment.lineage

    def _save(self, number: int, path: str) -> Iterator[str]:
        if self.finding.kind in ("state", "over"):
            yield f"saved_{number} = state(run)"
        call = f"run.save({_as(path, text=self.calls.save_takes_text)})" if self.own else f"save(run, {path})"
        if self.late:
            yield from ('with mock.patch.object(threading.Thread, "start", start_late):', f"    {call}")
        else:
            yield call

    def _go_back(self, event: Event, processes: int, lineage: Lineage) -> Iterator[str]:
        if self.calls.threads:
            yield "wait_for_threads()"
        if isinstance(event, StartOver):
            yield f"run = start({FIRST_SEED})  # a new process, from nothing"
        if not isinstance(event, Restart | Load):
            return
        if isinstance(event, Restart):
            yield f"run = start({fresh_seed(processes)})  # a new process"
            for change in (e for e in lineage if isinstance(e, Change) and CHANGES[e.name].again):
                yield self._perform(change, 0)
        path = f'path_of("{event.checkpoint}")'
        yield f"run.load({_as(path, text=self.calls.load_takes_text)})" if self.own else f"load(run, {path})"
        self.expected = f"saved_{event.checkpoint}"

    def _perform(self, event: Train | Evaluate | Change, step: int, *, recorded: bool = False) -> str:
        match event:
            case Train():
                if recorded:
                    return f"record(run, {step})"
                return f"run.step({step})" if self.calls.numbered else "run.step()"
            case Evaluate():
                return "predict(run)"
            case Change(name=name):
                return f'make_change("{name}", components(run), lambda: predict(run))'

    def assertion(self) -> Iterator[str]:
        if self.finding.kind == "raised":
            yield "# It raises before it comes here."
            return
        mismatch = self.finding.mismatches[0]
        if self.finding.kind in ("state", "over"):
            yield f"expected, actual = {self.expected}, state(run)"
        elif not self.recorded:
            yield "actual = state(run)"
        field = "" if self.recorded else ".traits" if self.finding.kind == "traits" else ".state"
        sharing = self.finding.kind == "traits" and mismatch.kind not in ("class", "requires_grad")
        field = ".sharing" if sharing else field
        yield f"different = [m.path for m in compare(expected{field}, actual{field}, traits=False)]"
        values = f"expected {mismatch.expected}, it is {mismatch.actual}"
        reason = f"{mismatch.path}: {mismatch.detail or values}"
        yield f"assert {mismatch.path!r} not in different, {reason!r}"


def _as(path: str, *, text: bool) -> str:
    return f"str({path})" if text else path
