"""The head of a printed program: what it imports, and how it makes, saves, loads and looks at a run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from pytest_ckpt.runs import TrainingRun
from pytest_ckpt.state.capture import is_stateful
from pytest_ckpt.strategies.machine.importing import home_of, import_lines
from pytest_ckpt.strategies.machine.saving_by_hand import load_lines, quoted, save_lines
from pytest_ckpt.strategies.machine.subject import Subject
from pytest_ckpt.trips import FIRST_SEED

__all__ = ["Need", "program_head"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What a program needs beside a run.

    Attributes:
        records: Whether it looks at what a step gives.
        predictions: Whether it predicts.
        changes: Whether it changes settings.
        threads: Whether threads that save starts are to write late.
        waits: Whether they have to be waited for.
    """

    records: bool
    predictions: bool
    changes: bool
    threads: bool
    waits: bool


def program_head(subject: Subject, need: Need) -> list[str]:
    """Return the lines above the events."""
    head = _Head(subject, need)
    blocks = [line for block in head.functions() for line in ("", "", *block)]
    return [*head.imports(), *blocks, "", "", *head.settings()]


class _Head:
    def __init__(self, subject: Subject, need: Need) -> None:
        self.subject, self.need = subject, need
        self.storage = subject.storage
        self.numpy = "numpy" in sys.modules

    def imports(self) -> Iterator[str]:
        home, first = home_of(self.subject.make_run), import_lines(self.subject.make_run)
        plain = ["import random", "import tempfile"]
        if home:
            plain.append("import sys")
        if self.need.threads:
            plain.append("import time")
        if self.need.threads or self.need.waits:
            plain.append("import threading")
        yield from sorted(plain)
        yield "from pathlib import Path"
        if self.need.threads:
            yield "from unittest import mock"
        yield from ("", *(["import numpy as np"] if self.numpy else []), "import torch")
        yield f"from pytest_ckpt import {self._names()}"
        if self.storage not in ("own", "torch"):
            yield "from pytest_ckpt.formats import get_format"
        if self.need.changes:
            yield "from pytest_ckpt.strategies import make_change"
        if home:
            # isort keeps the rest of a file below its first statement as it is.
            yield from ("", f"sys.path.insert(0, {quoted(home)})", *(f"{line}  # noqa: E402" for line in first[:1]))
            yield from first[1:]
        else:
            yield from ("", *first)

    def _names(self) -> str:
        return ", ".join(
            [*([] if isinstance(self.subject.made, TrainingRun) else ["TrainingRun"]), "capture", "compare"]
        )

    def functions(self) -> Iterator[list[str]]:
        yield self._start()
        yield _COMPONENTS.splitlines()
        yield _STATE.splitlines()
        if self.need.records:
            yield _RECORD.replace("step(i)", "step(i)" if self.subject.calls.numbered else "step()").splitlines()
        if self.need.predictions:
            yield self._predict()
        if self.storage != "own":
            yield save_lines(self.subject, numpy=self.numpy)
            yield load_lines(self.subject, numpy=self.numpy)
        if self.need.threads:
            yield _LATE.splitlines()
        if self.need.waits:
            yield _WAIT.splitlines()
        yield _PATH.replace("SUFFIX", self.subject.suffix).splitlines()
        yield _NEW_PATH.splitlines()

    def settings(self) -> Iterator[str]:
        yield "torch.set_num_threads(1)"
        yield "folder = Path(tempfile.mkdtemp())"
        if self.storage != "own":
            yield "random_states = {}"

    def _start(self) -> list[str]:
        return ["def start(seed):", *self._seeds(), f"    return {self._run()}"]

    def _seeds(self) -> list[str]:
        numpy = ["    np.random.seed(seed)"] if self.numpy else []
        return ["    random.seed(seed)", *numpy, "    torch.manual_seed(seed)"]

    def _run(self) -> str:
        if isinstance(self.subject.made, TrainingRun):
            return "make_run()"
        if isinstance(self.subject.made, torch.nn.Module):
            return 'TrainingRun(components={"model": make_run()})'
        if isinstance(self.subject.made, dict):
            return "TrainingRun(components=make_run())"
        if is_stateful(self.subject.made):
            return f'TrainingRun(components={{"{type(self.subject.made).__name__.lower()}": make_run()}})'
        return "TrainingRun.from_object(make_run())"

    def _predict(self) -> list[str]:
        numpy = ["np.random.get_state()"] if self.numpy else []
        states = ", ".join(["random.getstate()", *numpy, "torch.get_rng_state()"])
        back = ["    random.setstate(states[0])", "    torch.set_rng_state(states[-1])"]
        if self.numpy:
            back.insert(1, "    np.random.set_state(states[1])")
        seeds = [line.replace("(seed)", f"({FIRST_SEED})") for line in self._seeds()]
        return [*_PREDICT.splitlines(), f"    states = {states}", *seeds, *_PREDICTED.splitlines(), *back, _MODES_BACK]


_COMPONENTS = """def components(run):
    return run.components() if callable(run.components) else run.components"""
_STATE = """def state(run):
    return capture(components(run), hidden=False)"""
_RECORD = """def record(run, i):
    output = run.step(i)
    rates = {n: [g["lr"] for g in p.param_groups] for n, p in components(run).items() if hasattr(p, "param_groups")}
    return capture({"record": {"output": output, "lr": rates}}, hidden=False).state["record"]"""
_PREDICT = """def predict(run):
    models = [part for part in components(run).values() if isinstance(part, torch.nn.Module)]
    modes = [(layer, layer.training) for model in models for layer in model.modules()]
    for model in models:
        model.eval()"""
_PREDICTED = """    with torch.no_grad():
        found = capture({"record": {"prediction": run.predict()}}, hidden=False).state["record"]"""
_MODES_BACK = """    for layer, training in modes:
        layer.training = training
    return found"""
_LATE = """def start_late(thread, start=threading.Thread.start):
    run = thread.run
    thread.run = lambda: (time.sleep(0.5), run())  # until training has gone on
    start(thread)"""
_WAIT = """def wait_for_threads():
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(2)"""
_PATH = """def path_of(name):
    return folder / name / "checkpointSUFFIX\""""
_NEW_PATH = """def new_path(name):
    (folder / name).mkdir()
    return path_of(name)"""
