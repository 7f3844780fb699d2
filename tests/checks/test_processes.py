"""Programs whose checkpoints are right in the process that has saved them, and in no other."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_program import Program, factory, report_of

import pytest_ckpt.launchers.fresh as fresh
from pytest_ckpt import CheckpointFailure, TrainingRun, check_training_run
from pytest_ckpt.checks import Outcomes

PROGRAMS = Path(__file__).parents[1] / "programs"
BUGS = sorted(path.stem for path in (PROGRAMS / "processes").glob("*.py"))
# Correct ones that look suspicious to another process.
CORRECT = (
    *("caches_of_three_kinds", "chdir_while_saving", "hash_order_for_show", "identities_in_the_state"),
    *("latest_symlink_folder", "mock_logger", "notebook_namespace", "sqlite_checkpoint", "whole_trainer_pickle"),
    *("dataloader_two_workers", "forked_writer", "noise_from_urandom", "vae_rebuilds_on_load"),
)
pytestmark = pytest.mark.usefixtures("new_processes")


def load(folder: str, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"program_{name}", PROGRAMS / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_that_only_a_new_process_shows_is_found_and_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # Some of them write there.
    program = load("processes", name)

    with pytest.raises(CheckpointFailure) as caught:
        check_training_run(program.make_buggy)

    assert [outcome.check for outcome in caught.value.outcomes.failures] == [program.CHECK]
    report = str(caught.value).lower()
    assert any(word.lower() in report for word in program.NAMES), report


@pytest.mark.parametrize("name", BUGS)
def test_its_mended_twin_is_not_accused(name: str) -> None:
    outcomes = check_training_run(load("processes", name).make_fixed, select=["processes"])

    assert [outcome.status for outcome in outcomes] == ["pass", "pass"]


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_program_is_not_accused(name: str) -> None:
    check_training_run(load("correct", name).make_run, select=["processes"])


def checked(make_run: Any, **options: Any) -> Outcomes:
    return check_training_run(make_run, select=["processes"], raise_on_failure=False, **options)


def text(words: str) -> str:
    return inspect.cleandoc(words)


KEPT: dict[str, int] = {}


class KeepsTheCountInMemory(Program):
    """What is not in the file is in a variable of the module."""

    def save(self, path: Path) -> None:
        super().save(path)
        KEPT[str(path)] = self.count

    def load(self, path: Path) -> None:
        super().load(path)
        self.count = KEPT.get(str(path), 0)


def test_what_a_resume_in_a_new_process_says() -> None:
    assert report_of(KeepsTheCountInMemory, "resume_in_a_fresh_process") == text("""
        Checkpoint checks of tiny: 1 fail.

        FAIL resume_in_a_fresh_process
        Resumed in a new process, the run is another one: saved after 1 step, they part at step(1).
        output: value differs
            uninterrupted: 0.0
            resumed:       -1.0
        Every component is loaded as it was saved, and resumed in this process the run is the same.
        Differs after loading:
            KeepsTheCountInMemory.count: 1 in this process, 0 in the new one
            KEPT: knows checkpoints by their paths in this process, and not in the new one
        Save what training keeps outside the run and restore it in load: a variable of a module or a class, a cache, \
an environment variable. Where parameters are listed, list them in a fixed order: sorted(names), not a set.
        Or, if this is on purpose: expected_failures={"resume_in_a_fresh_process": "the reason"}.
    """)


class FindsTheOptimizerInMemory(Program):
    def save(self, path: Path) -> None:
        super().save(path)
        KEPT[str(path)] = 1

    def load(self, path: Path) -> None:
        if KEPT[str(path)]:
            super().load(path)


def test_what_a_load_that_raises_in_a_new_process_says() -> None:
    line = inspect.getsourcelines(FindsTheOptimizerInMemory.load)[1] + 1
    lines = report_of(FindsTheOptimizerInMemory, "loads_in_a_fresh_process").splitlines()

    assert lines[2:6] == [
        "FAIL loads_in_a_fresh_process",
        lines[3],
        f"    at {__file__}:{line}, in load: if KEPT[str(path)]:",
        "In this process it is right.",
    ]
    assert lines[3].startswith(
        "A checkpoint saved after 1 step cannot be used in a new process: load(path) raised KeyError: '/"
    )


class WritesBeside(Program):
    """The count is in a file of the folder that the program was started in."""

    def save(self, path: Path) -> None:
        super().save(path)
        Path(f"count-{path.parent.name}").write_text(str(self.count), encoding="utf-8")

    def load(self, path: Path) -> None:
        super().load(path)
        self.count = int(Path(f"count-{path.parent.name}").read_text(encoding="utf-8"))


def test_files_that_save_writes_elsewhere_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    lines = report_of(WritesBeside, "loads_in_a_fresh_process").splitlines()

    assert (
        "A checkpoint saved after 1 step cannot be used in a new process: load(path) raised FileNotFoundError: "
        "[Errno 2] No such file or directory: 'count-step-1'"
    ) in lines
    needs = f"In this process it is right. It needs what save(path) writes elsewhere: {tmp_path / 'count-step-1'}."
    assert needs in lines
    assert "Let save write everything below the path it is given, and load read it from there." in lines


class ReadsData(Program):
    """Correct: the data are where the program is started."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = float(Path("data.csv").read_text(encoding="utf-8"))

    def step(self, i: int) -> float:
        return super().step(i) + self.shift


def test_data_by_a_relative_path_are_not_accused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text("1.5", encoding="utf-8")

    outcomes = checked(factory(ReadsData))

    assert [outcome.status for outcome in outcomes] == ["pass", "pass"]
    assert outcomes.items[0].notes == ("It can only be resumed in a working directory that has 'data.csv'.",)


class LogsBeside(Program):
    """Correct: nothing reads the log but people."""

    def save(self, path: Path) -> None:
        super().save(path)
        with open("saves.log", "a", encoding="utf-8") as log:
            log.write(f"{path}\n")


def test_a_log_that_save_writes_elsewhere_is_not_accused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert [outcome.status for outcome in checked(factory(LogsBeside))] == ["pass", "pass"]


# Without a parameter that could differ, the results decide what is the same training.
RESULTS_ALONE: dict[str, Any] = {"components": {"count": [0]}, "predict": None}
WORDS = frozenset(("red", "green", "blue", "yellow", "white", "black", "brown", "pink"))


class TrainsInTheOrderOfASet(Program):
    """Each process trains in another order, with or without a checkpoint."""

    def step(self, i: int) -> float:
        first = sorted(WORDS).index(next(iter(WORDS)))
        return super().step(i) + (hash("red") % 1000 + first)


def test_training_that_depends_on_the_hash_seed_is_undecidable() -> None:
    outcomes = checked(factory(TrainsInTheOrderOfASet, **RESULTS_ALONE))

    assert [outcome.status for outcome in outcomes] == ["pass", "undecidable"]
    assert outcomes["resume_in_a_fresh_process"].summary == (
        "Training depends on the hash seed of the process (the order of a set of strings, hash()): two runs that "
        "never stopped differ under two of them."
    )
    assert outcomes["resume_in_a_fresh_process"].causes == ("output",)


SETUP = {"scale": 1.0}


class ReadsTheSetup(Program):
    def step(self, i: int) -> float:
        self.count += int(SETUP["scale"])
        return super().step(i)


def test_what_a_fixture_has_set_up_here_is_not_held_against_the_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETUP, "scale", 3.0)

    outcomes = checked(factory(ReadsTheSetup, **RESULTS_ALONE))

    assert [outcome.status for outcome in outcomes] == ["pass", "undecidable"]
    assert outcomes["resume_in_a_fresh_process"].summary.startswith(
        "Training depends on what this process has set up before make_run() is called, such as a fixture"
    )


class ReadsTheSetupAndKeepsInMemory(ReadsTheSetup, KeepsTheCountInMemory):
    """A bug that two new processes show, though they are not like this one."""


def test_a_bug_is_found_where_new_processes_are_not_like_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETUP, "scale", 3.0)

    outcomes = checked(factory(ReadsTheSetupAndKeepsInMemory, **RESULTS_ALONE))

    assert [outcome.status for outcome in outcomes] == ["pass", "fail"]


def test_a_run_that_cannot_be_made_in_a_new_process_is_skipped() -> None:
    ready_in = os.getpid()

    def make_run() -> TrainingRun:
        if os.getpid() != ready_in:
            raise RuntimeError("call setup() first")
        return factory(Program)()

    outcomes = checked(make_run)

    assert [outcome.status for outcome in outcomes] == ["skipped", "skipped"]
    assert outcomes.items[0].summary == (
        "In a new process the run cannot be made and trained, with no checkpoint: training there raised RuntimeError: "
        "call setup() first"
    )


MEMORY: dict[str, Any] = {}


class SavesInMemory(Program):
    def save(self, path: Path) -> None:
        MEMORY[str(path)] = {**self.state(), "model": {"weight": self.model.weight.detach().clone()}}

    def load(self, path: Path) -> None:
        state = MEMORY[str(path)]
        self.model.load_state_dict(state["model"])
        self.count = state["count"]


def test_checkpoints_in_memory_are_for_this_process() -> None:
    outcomes = checked(factory(SavesInMemory, components=lambda: {"count": [0]}), at=[1, 2])

    assert [outcome.status for outcome in outcomes] == ["skipped", "skipped"]
    assert outcomes.items[0].summary in (
        "save(path) writes no file, so there is nothing that another process could load.",
        "The checkpoint is not right in this process either.",
    )


class ForgetsTheCount(Program):
    def restore(self, state: dict[str, Any]) -> None:
        super().restore({**state, "count": 0})


def test_one_bug_is_accused_once() -> None:
    outcomes = check_training_run(factory(ForgetsTheCount), steps=3, raise_on_failure=False)

    assert [outcome.check for outcome in outcomes.failures] == ["resume_is_exact"]
    assert outcomes["resume_in_a_fresh_process"].summary == "The checkpoint is not right in this process either."


PIDS = [0]


class CrashesElsewhere(Program):
    def load(self, path: Path) -> None:
        super().load(path)
        if os.getpid() != PIDS[0]:
            print("goodbye", flush=True)
            os._exit(5)


def test_a_process_that_ends_while_loading_is_a_readable_failure() -> None:
    PIDS[:] = [os.getpid()]

    lines = report_of(CrashesElsewhere, "loads_in_a_fresh_process").splitlines()

    assert lines[3:7] == [
        "A checkpoint saved after 1 step cannot be used in a new process: The process was ended from within, with "
        "exit code 5.",
        "In this process it is right.",
        "The new process printed:",
        "    goodbye",
    ]


class RestoresNoAverage(Program):
    """Chooses not to restore a component."""

    def __init__(self) -> None:
        super().__init__()
        self.average = torch.nn.Linear(2, 1, bias=False)

    def step(self, i: int) -> float:
        with torch.no_grad():
            self.average.weight.lerp_(self.model.weight, 0.5)
        return super().step(i) + self.average.weight.sum().item()


def make_without_average() -> TrainingRun:
    made = RestoresNoAverage()
    components = {"model": made.model, "optimizer": made.optimizer, "average": made.average}
    return TrainingRun(components=components, step=made.step, save=made.save, load=made.load)


def test_what_is_ignored_is_carried_over_there_as_well() -> None:
    outcomes = checked(make_without_average, ignore=["average.*"])

    assert [outcome.status for outcome in outcomes] == ["pass", "pass"]


def make_plain() -> TrainingRun:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters())

    def step(i: int) -> float:
        optimizer.zero_grad()
        loss = model(torch.ones(2) * i).square().sum()
        loss.backward()
        optimizer.step()
        return float(loss)

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)


@pytest.mark.parametrize("name", ["torch", "dcp", "dill", "pickle-whole"])
def test_formats_are_read_in_a_new_process(name: str) -> None:
    assert [outcome.status for outcome in checked(make_plain, formats=[name])] == ["pass", "pass"]


def test_new_interpreters_are_said_to_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "can_fork", lambda: False)

    outcomes = checked(factory(Program), at=[2], steps=3)

    assert [outcome.status for outcome in outcomes] == ["pass", "pass"]
    assert outcomes.items[0].notes == (
        "Each new process was a new interpreter, which takes seconds: this platform cannot fork one that has torch "
        "loaded.",
    )


def test_what_cannot_travel_is_skipped_with_the_next_step() -> None:
    events = (threading.Event() for _ in range(3))

    def make_run() -> TrainingRun:
        assert events is not None
        return factory(Program)()

    outcomes = checked(make_run)

    assert [outcome.status for outcome in outcomes] == ["skipped", "skipped"]
    assert outcomes.items[0].summary.endswith("Move it, with what it needs, to the top of a module.")
