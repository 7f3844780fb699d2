"""The state machine finds what checkpoints lose in the shortest program, and leaves correct runs alone."""

from __future__ import annotations

import copy
import importlib.util
import random
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import Phase, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import run_state_machine_as_test

from pytest_ckpt import CheckpointFailure, TrainingRun, UsageError
from pytest_ckpt.strategies import checkpoint_machine
from pytest_ckpt.strategies.machine.changes import CHANGES
from pytest_ckpt.strategies.machine.events import Change, Evaluate, Load, Program, Restart, Save, StartOver, Train
from pytest_ckpt.strategies.machine.final import is_final
from pytest_ckpt.strategies.machine.shrinking import shorten
from pytest_ckpt.strategies.machine.verdicts import Court

TESTS = Path(__file__).parents[2]
STEP, SAVE = Train(steps=1), Save()
LATEST = Restart(checkpoint=0)


class Trainer:
    """Draws noise, counts its steps, and saves both; a subclass forgets something."""

    def __init__(self) -> None:
        self.model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh(), torch.nn.Linear(3, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.count = 0

    def step(self, i: int) -> float:
        self.count += 1
        self.optimizer.zero_grad()
        loss = (self.model(torch.randn(4, 3)) - self.count).square().mean()
        loss.backward()
        self.optimizer.step()
        return float(loss)

    def save(self, path: Path) -> None:
        torch.save(self.payload(), path)

    def payload(self) -> dict[str, Any]:
        parts = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        return {**parts, "count": self.count, "rng": torch.get_rng_state()}

    def load(self, path: Path) -> None:
        self.accept(torch.load(path))

    def accept(self, payload: dict[str, Any]) -> None:
        self.model.load_state_dict(payload["model"])
        self.optimizer.load_state_dict(payload["optimizer"])
        self.count = payload["count"]
        torch.set_rng_state(payload["rng"])

    @classmethod
    def run(cls) -> TrainingRun:
        trainer = cls()
        return TrainingRun(
            components={"model": trainer.model, "optimizer": trainer.optimizer},
            step=trainer.step,
            save=trainer.save,
            load=trainer.load,
            predict=lambda: trainer.model(torch.ones(1, 3)) * trainer.count,
        )


class ForgetsItsCount(Trainer):
    def payload(self) -> dict[str, Any]:
        return {**super().payload(), "count": 0}


class SavesADraw(Trainer):
    def save(self, path: Path) -> None:
        super().save(path)
        torch.rand(1)


class KeepsTheFirstMomentum(Trainer):
    """Loading fills what is missing, and leaves alone what is there."""

    def accept(self, payload: dict[str, Any]) -> None:
        if self.optimizer.state:
            payload["optimizer"] = self.optimizer.state_dict()
        super().accept(payload)


class RefusesAStartedRun(Trainer):
    def load(self, path: Path) -> None:
        if self.count:
            raise RuntimeError("already started")
        super().load(path)


class LosesItsLearningRate(Trainer):
    """Right for a program that never changes it."""

    def accept(self, payload: dict[str, Any]) -> None:
        super().accept(payload)
        for group in self.optimizer.param_groups:
            group["lr"] = 0.1


class PublishesItsLast(Trainer):
    """Keeps the checkpoints of this process and writes them all; the longest one is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[int, dict[str, Any]] = {}

    def save(self, path: Path) -> None:
        self.kept[self.count] = copy.deepcopy(self.payload())
        torch.save(self.kept, path)

    def load(self, path: Path) -> None:
        kept = torch.load(path)
        self.accept(kept[max(kept)])


class LoadsUnderAnotherName(Trainer):
    def load(self, path: Path) -> None:
        super().load(path.with_suffix(".ckpt"))


def court(make_run: Callable[[], Any], **options: Any) -> Court:
    machine: Any = checkpoint_machine(make_run, **options)
    found: Court = machine.court
    return found


def failure_of(make_run: Callable[[], Any], **options: Any) -> str:
    machine: Any = checkpoint_machine(make_run, **options)
    chosen = settings(machine.TestCase.settings, database=None, derandomize=True)
    with pytest.raises(CheckpointFailure) as caught:
        run_state_machine_as_test(machine, settings=chosen)
    return str(caught.value)


def passes(make_run: Callable[[], Any], **options: Any) -> None:
    machine: Any = checkpoint_machine(make_run, **options)
    run_state_machine_as_test(machine, settings=settings(machine.TestCase.settings, database=None, derandomize=True))


def kind(make_run: Callable[[], Any], *program: Any, **options: Any) -> str | None:
    finding = court(make_run, **options).judge(program)
    return None if finding is None else finding.kind


def without_predictions(make_run: Callable[[], TrainingRun]) -> Callable[[], TrainingRun]:
    return lambda: replace(make_run(), predict=None)


def test_what_is_printed_says_what_was_lost_who_is_to_blame_and_how_to_see_it() -> None:
    lines = failure_of(without_predictions(ForgetsItsCount.run)).splitlines()

    assert lines[0] == "The resumed run is not the run that never stopped: saved after 1 step, they part at step(1)."
    assert lines[1] == "output: value differs"
    assert "To blame: ForgetsItsCount.count (restoring it alone makes the runs agree)." in lines
    assert "The program, 4 events; run it as a file in your project's root:" in lines
    assert lines[-1].startswith("assert 'output' not in different, 'output: expected ")


@pytest.mark.parametrize(
    ("make_run", "events"),
    [(ForgetsItsCount.run, 4), (SavesADraw.run, 2), (KeepsTheFirstMomentum.run, 4)],
    ids=["count", "draw", "momentum"],
)
def test_the_program_is_the_shortest(make_run: Callable[[], Any], events: int) -> None:
    assert f"The program, {events} events;" in failure_of(make_run)


def test_what_hypothesis_leaves_too_long_is_shortened() -> None:
    long = (STEP, SAVE, STEP, SAVE, STEP, Restart(checkpoint=1), STEP, Restart(checkpoint=1), Train(steps=2))

    assert shorten(court(ForgetsItsCount.run), long) == (STEP, SAVE, LATEST, STEP)


def test_a_correct_run_passes() -> None:
    passes(Trainer.run)


def test_a_run_without_a_save_of_its_own_passes_with_every_change() -> None:
    def make_run() -> TrainingRun:
        trainer = Trainer()
        parts = {"model": trainer.model, "optimizer": trainer.optimizer}

        def step(i: int) -> float:
            trainer.count = 0
            return trainer.step(i)

        return TrainingRun({**parts, "scheduler": torch.optim.lr_scheduler.StepLR(trainer.optimizer, 2)}, step)

    names = ("freeze", "halve_learning_rates", "round_weights", "step_schedulers", "tie_weights", "unfreeze")
    passes(make_run, changes=names)

    assert court(make_run).possible(sorted(CHANGES)) == sorted(names)


@pytest.mark.parametrize(
    ("make_run", "program", "found"),
    [
        (ForgetsItsCount.run, (STEP, SAVE, LATEST), None),  # no component holds it
        (ForgetsItsCount.run, (STEP, SAVE, LATEST, Evaluate()), "prediction"),
        (ForgetsItsCount.run, (SAVE, LATEST, STEP), None),
        (SavesADraw.run, (SAVE, STEP), "step"),
        (SavesADraw.run, (SAVE, StartOver(), STEP), None),
        (KeepsTheFirstMomentum.run, (STEP, SAVE, STEP, Load(checkpoint=0)), "over"),
        (KeepsTheFirstMomentum.run, (SAVE, STEP, Load(checkpoint=0)), None),  # there was nothing to save
        (KeepsTheFirstMomentum.run, (STEP, SAVE, STEP, LATEST, STEP), None),
        (RefusesAStartedRun.run, (STEP, SAVE, Load(checkpoint=0), STEP), None),
        (PublishesItsLast.run, (SAVE, STEP, SAVE, Load(checkpoint=0), SAVE, Restart(checkpoint=2)), None),
        (LoadsUnderAnotherName.run, (SAVE, LATEST), "raised"),
        (Trainer.run, (STEP, SAVE, STEP, Load(checkpoint=0), SAVE, Restart(checkpoint=1), STEP), None),
    ],
)
def test_a_program_is_judged_by_what_never_stopped(
    make_run: Callable[[], Any], program: Program, found: str | None
) -> None:
    assert kind(make_run, *program) == found


def test_a_changed_learning_rate_must_come_back_only_for_a_program_that_says_it_changes_it() -> None:
    program = (Change(name="halve_learning_rates"), SAVE, LATEST)

    assert kind(LosesItsLearningRate.run, *program) == "state"
    passes(LosesItsLearningRate.run)
    assert "optimizer.param_groups[0].lr" in failure_of(LosesItsLearningRate.run, changes=["halve_learning_rates"])


def test_a_program_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = court(Trainer.run)
    calls = []
    monkeypatch.setattr("pytest_ckpt.strategies.machine.verdicts.execute", lambda *args: calls.append(args))

    judge.judge((SAVE, LATEST))
    judge.judge((SAVE, LATEST))

    assert len(calls) == 1


def test_training_that_does_not_repeat_itself_is_nobodys_fault() -> None:
    class Unsteady(Trainer):
        def step(self, i: int) -> float:
            with torch.no_grad():
                next(self.model.parameters()).add_(random.SystemRandom().random())
            return super().step(i)

    assert kind(Unsteady.run, SAVE, STEP, SAVE, LATEST, STEP) is None


def test_it_leaves_no_trace() -> None:
    class Threaded(Trainer):
        def save(self, path: Path) -> None:
            payload = {"model": {k: v.clone() for k, v in self.model.state_dict().items()}}
            threading.Thread(target=torch.save, args=({**self.payload(), **payload}, path)).start()

    before = random.getstate(), torch.get_rng_state(), threading.active_count(), torch.get_num_threads()
    court(Threaded.run).judge((STEP, SAVE, STEP, LATEST, STEP))

    assert before[0] == random.getstate()
    torch.testing.assert_close(torch.get_rng_state(), before[1])
    assert before[2:] == (threading.active_count(), torch.get_num_threads())


def test_ordinary_settings_govern_it() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hypothesis.settings._current_profile", settings._current_profile)
        settings.register_profile("long", max_examples=7, stateful_step_count=3)
        before = settings.get_current_profile_name()
        settings.load_profile("long")
        chosen: Any = checkpoint_machine(Trainer.run).TestCase.settings
        settings.load_profile(before)

    assert (chosen.max_examples, chosen.stateful_step_count, chosen.deadline) == (7, 3, None)


def test_the_quick_settings_hold_where_nobody_chose() -> None:
    before = settings.get_current_profile_name()
    settings.load_profile("default")
    try:
        chosen: Any = checkpoint_machine(Trainer.run).TestCase.settings
    finally:
        settings.load_profile(before)

    assert (chosen.max_examples, chosen.stateful_step_count) == (20, 12)
    assert Phase.explain not in chosen.phases


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"changes": ["freez"]}, "There is no change 'freez'"),
        ({"steps": 0}, "save after 0 to 0 steps, of at least 1"),
        ({"at": [9]}, "save after 0 to 6 steps"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        checkpoint_machine(Trainer.run, **options)


def test_without_the_private_name_of_hypothesis_every_failure_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis.control", None)

    assert is_final()


def test_a_failure_is_kept_and_comes_again_before_anything_else(tmp_path: Path) -> None:
    machine: Any = checkpoint_machine(ForgetsItsCount.run)
    kept = settings(machine.TestCase.settings, database=DirectoryBasedExampleDatabase(tmp_path))
    with pytest.raises(CheckpointFailure) as first:
        run_state_machine_as_test(machine, settings=settings(kept, max_examples=300))
    again: Any = checkpoint_machine(ForgetsItsCount.run)
    with pytest.raises(CheckpointFailure) as second:
        run_state_machine_as_test(again, settings=settings(kept, phases=[Phase.reuse]))

    assert str(first.value) == str(second.value)


def test_derandomized_it_says_the_same_each_time() -> None:
    assert failure_of(ForgetsItsCount.run) == failure_of(ForgetsItsCount.run)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_a_scripted_model_has_nothing_to_tie() -> None:
    model = torch.jit.script(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)))

    assert court(lambda: {"model": model}).possible(["tie_weights"]) == []


def test_what_many_programs_have_trained_is_forgotten() -> None:
    judge = court(Trainer.run)
    lineages = [(STEP,) * before + (Evaluate(),) * times for before in range(4) for times in range(1, 16)]
    for lineage in lineages:
        judge.histories.make_room()
        judge.histories.train(lineage)

    assert not judge.histories.knows(lineages[0])
    assert judge.histories.knows(lineages[-1])


def test_a_program_that_shows_nothing_when_judged_in_full_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = court(ForgetsItsCount.run)
    proven = (STEP, SAVE, LATEST, STEP)
    assert judge.judge(proven) is not None
    monkeypatch.setattr(judge, "settle", lambda program: None)

    assert shorten(judge, (STEP, *proven)) == (STEP, *proven)
    assert judge.proven == proven


# Programs that fooled an earlier rule, and a few of each kind; all of them take minutes.
SUSPICIOUS = (
    "lr_from_step",
    "stale_mapping",
    "step_returns_the_trainer",
    "save_counts_itself",
    "histories_grow_over_loads",
)
CAUGHT = ("opt_not_saved", "rng_torch_dropout", "save_draws_a_sample", "two_models_swapped")


def program_file(folder: str, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"machine_{name}", TESTS / "programs" / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SUSPICIOUS)
def test_a_correct_program_that_looks_suspicious_is_not_accused(name: str) -> None:
    passes(program_file("correct", name).make_run)


@pytest.mark.parametrize("name", CAUGHT)
def test_a_documented_bug_is_found_and_its_mended_twin_is_not_accused(name: str) -> None:
    module = program_file("bugs", name)

    assert "The program, " in failure_of(module.make_buggy)
    passes(module.make_fixed)
