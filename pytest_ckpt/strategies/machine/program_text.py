"""A program of events as Python that a person can paste and run: it ends with what does not hold."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from pytest_ckpt.runs import MakeRun
from pytest_ckpt.strategies.machine.changes import CHANGES
from pytest_ckpt.strategies.machine.events import (
    Change,
    Evaluate,
    Event,
    Lineage,
    Load,
    Program,
    Restart,
    Save,
    StartOver,
    Train,
    moments,
)
from pytest_ckpt.strategies.machine.finding import Finding
from pytest_ckpt.trips import FIRST_SEED, fresh_seed

__all__ = ["program_text"]


def program_text(make_run: MakeRun, program: Program, finding: Finding, *, storage: str, threads: bool) -> str:
    """Return the source of a file that executes a program and fails as it did.

    Args:
        make_run: Makes the run.
        program: The events, up to the one after which the finding shows.
        finding: What was found.
        storage: The name of the way to disk; ``own`` for the run's own ``save`` and ``load``.
        threads: Whether saving starts threads, which are to write after training has gone on.
    """
    # Only a TrainingRun has a step, a save and a load to call.
    simple = storage == "own" and not any(isinstance(event, Change | Evaluate) for event in program)
    writer = _Writer(simple=simple, storage=storage, threads=threads, finding=finding)
    body = [*writer.reference(list(moments(program))[-1].lineage), *writer.events(program), "", *writer.assertion()]
    return "\n".join([*writer.head(make_run), "", *body])


class _Writer:
    """Writes the lines; ``simple`` programs call the run's own functions, others those of this package."""

    def __init__(self, *, simple: bool, storage: str, threads: bool, finding: Finding) -> None:
        self.simple, self.storage, self.threads, self.finding = simple, storage, threads, finding
        self.numpy = self.simple and "numpy" in sys.modules
        self.expected = ""
        self.recorded = finding.kind in ("step", "prediction")

    def head(self, make_run: MakeRun) -> Iterator[str]:
        yield from ("import random", "import tempfile", "from pathlib import Path", "")
        yield from (*(["import numpy"] if self.numpy else []), "import torch", "")
        yield "from pytest_ckpt import capture, compare"
        if self.threads:
            yield "from pytest_ckpt.runs.background import BackgroundSaves"
        if not self.simple:
            yield "from pytest_ckpt.runs import build"
            yield "from pytest_ckpt.runs.storage import storage_for"
            yield "from pytest_ckpt.strategies.machine.events import Change, Evaluate, Train"
            yield "from pytest_ckpt.strategies.machine.histories import perform"
        yield _import_of(make_run)
        yield from ("", "")
        for line in _SIMPLE if self.simple else _GENERAL:
            if self.numpy or "numpy" not in line:
                yield line.replace("FORMAT", repr(self.storage))
        yield from ("", "", "torch.set_num_threads(1)", "folder = Path(tempfile.mkdtemp())")
        if self.threads:
            yield "background = BackgroundSaves()  # holds back the threads that save starts, until training went on"

    def reference(self, lineage: Lineage) -> Iterator[str]:
        """Write the run that never stops, where it is what the program is compared with."""
        if self.finding.kind not in ("step", "prediction", "end", "traits"):
            return
        yield f"run = start({FIRST_SEED})  # it never stops"
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
                    yield from self._save(saves)
                    saves += 1
                case _:
                    processes += isinstance(event, Restart | StartOver)
                    yield from self._go_back(event, processes, moment.lineage)
            before = moment.lineage

    def _save(self, number: int) -> Iterator[str]:
        yield f"saved_{number} = state(run)"
        call = f'run.save(new_path("{number}"))' if self.simple else f'storage(run).save(run, new_path("{number}"))'
        if self.threads:
            yield from ("with background.watching():", f"    {call}")
        else:
            yield call

    def _go_back(self, event: Event, processes: int, lineage: Lineage) -> Iterator[str]:
        if self.threads:
            yield "background.wait(folder)"
        if isinstance(event, StartOver):
            yield f"run = start({FIRST_SEED})  # a new process, from nothing"
        if not isinstance(event, Restart | Load):
            return
        if isinstance(event, Restart):
            yield f"run = start({fresh_seed(processes)})  # a new process"
            for change in (e for e in lineage if isinstance(e, Change) and _is_made_again(e)):
                yield self._perform(change, 0)
        path = f'path_of("{event.checkpoint}")'
        yield f"run.load({path})" if self.simple else f"storage(run).load(run, {path})"
        if not self.simple:
            yield f"run.steps_done = {sum(isinstance(e, Train) for e in lineage)}"
        self.expected = f"saved_{event.checkpoint}"

    def _perform(self, event: Train | Evaluate | Change, step: int, *, recorded: bool = False) -> str:
        if not isinstance(event, Train):
            return f"perform(run, {event!r})"
        if self.simple:
            call = f"record(run, {step})" if recorded else f"run.step({step})"
        else:
            call = "perform(run, Train(steps=1))"
        if self.threads and not recorded:
            return f"{call}\nbackground.release()"
        return call

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
        reason = f"{mismatch.path}: expected {mismatch.expected}, it is {mismatch.actual}"
        yield f"assert {mismatch.path!r} not in different, {reason!r}"


def _is_made_again(change: Change) -> bool:
    return CHANGES[change.name].again


def _import_of(make_run: Any) -> str:
    module, name = getattr(make_run, "__module__", ""), getattr(make_run, "__qualname__", "")
    if not name.isidentifier() or module in ("", "__main__"):
        return "# Put this file's text below the definition of make_run, which cannot be imported."
    return f"from {module} import {name}" + ("" if name == "make_run" else " as make_run")


_PATHS = """def path_of(name):
    return folder / name / "checkpoint.pt"


def new_path(name):
    (folder / name).mkdir()
    return path_of(name)""".splitlines()

_SIMPLE = [
    *"""def start(seed):
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    return make_run()


def components(run):
    return run.components() if callable(run.components) else run.components


def state(run):
    return capture(components(run), hidden=False)


def record(run, i):
    output = run.step(i)
    rates = {n: [g["lr"] for g in p.param_groups] for n, p in components(run).items() if hasattr(p, "param_groups")}
    return capture({"record": {"output": output, "lr": rates}}, hidden=False).state["record"]
""".splitlines(),
    "",
    "",
    *_PATHS,
]
_GENERAL = [
    *"""def start(seed):
    return build(make_run, seed)


def state(run):
    return capture(run.components, hidden=False)


def storage(run):
    return storage_for(run, FORMAT)
""".splitlines(),
    "",
    "",
    *_PATHS,
]
