"""Predictions, and checkpoints of runs that were loaded themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from zoo_bad import prediction_with_noise_from_outside
from zoo_good import averaged_weights, extra_state, plain_functions, sgd_without_state, trainer_with_its_own_files

from pytest_ckpt import TrainingRun
from pytest_ckpt.faults import FAULTS
from pytest_ckpt.formats import get_format
from pytest_ckpt.generations import Generations, compare_generations, compare_predictions, without
from pytest_ckpt.runs.storage import format_storage, own_storage
from pytest_ckpt.trips import Plan


def plan_of(make_run: Callable[[], Any], *, own: bool = False, form: str = "torch") -> Plan:
    storage = own_storage() if own else format_storage(get_format(form))
    return Plan(make_run=make_run, steps=3, at=(0, 2), storage=storage)


def broken(fault: str, make_run: Callable[[], Any] = averaged_weights) -> Plan:
    return plan_of(FAULTS[fault].inject(make_run), own=True)


@pytest.mark.parametrize("form", ["torch", "torch-mmap", "torch-whole", "dcp", "safetensors"])
def test_generations_of_a_good_run_are_all_the_same(tmp_path: Path, form: str) -> None:
    found = compare_generations(plan_of(extra_state, form=form), tmp_path)

    assert replace(found, notes=()) == Generations()


def test_a_file_that_is_still_mapped_is_not_written_over(tmp_path: Path) -> None:
    """Truncating a file that a tensor is mapped to ends the process at the next look at the tensor."""

    def make_run() -> TrainingRun:
        model = torch.nn.Linear(4, 2)

        def load(path: Path) -> None:
            model.load_state_dict(torch.load(path, mmap=True), assign=True)

        return TrainingRun(
            components={"model": model}, save=lambda path: torch.save(model.state_dict(), path), load=load
        )

    found = compare_generations(replace(plan_of(make_run, own=True), steps=0, at=(0,)), tmp_path)

    assert found.same_path == ()
    if Path("/proc/self/maps").exists():
        assert found.notes == (
            "Saving over a loaded checkpoint was not tried: the loaded run still reads the file (mmap=True), and a "
            "save that truncates it in place would kill the process.",
        )


def test_a_save_that_forgets_shows_in_the_second_generation(tmp_path: Path) -> None:
    found = compare_generations(broken("second_save_forgets"), tmp_path)

    assert {mismatch.path.split(".")[0] for mismatch in found.other_path} == {"model"}
    assert found.loaded_again == ()


def test_a_checkpoint_that_is_trained_on_shows_when_it_is_loaded_again(tmp_path: Path) -> None:
    found = compare_generations(broken("load_aliases_the_checkpoint"), tmp_path)

    assert found.other_path == ()
    assert "model.0.weight" in {mismatch.path for mismatch in found.loaded_again}


def test_a_second_load_that_raises_is_told_from_the_first(tmp_path: Path) -> None:
    found = compare_generations(broken("second_load_raises"), tmp_path)

    assert (found.first, found.failure) == (False, None)
    assert str(found.second_load) == "load(path) raised KeyError: 'state'"


@pytest.mark.parametrize(
    ("broken_call", "message"),
    [
        ("save", "save(path) after 2 steps raised OSError: gone"),
        ("load", "load(path) raised OSError: gone"),
    ],
)
def test_a_first_generation_that_fails_is_no_finding_about_the_second(
    tmp_path: Path, broken_call: str, message: str
) -> None:
    def fail(path: Path) -> None:
        raise OSError("gone")

    changes: Any = {broken_call: fail}

    found = compare_generations(plan_of(lambda: replace(trainer_with_its_own_files(), **changes), own=True), tmp_path)

    assert found.first
    assert str(found.failure) == message


def test_a_loaded_run_that_cannot_be_saved(tmp_path: Path) -> None:
    def make_run() -> TrainingRun:
        run = trainer_with_its_own_files()
        loads: list[Path] = []
        save, load = run.save, run.load
        assert save is not None
        assert load is not None

        def note_and_load(path: Path) -> None:
            loads.append(path)
            load(path)

        def save_before_loading(path: Path) -> None:
            assert not loads, "closed"
            save(path)

        return replace(run, save=save_before_loading, load=note_and_load)

    found = compare_generations(plan_of(make_run, own=True), tmp_path)

    assert not found.first
    assert str(found.failure).startswith("save(path) of a loaded run raised AssertionError: closed")


def test_saving_over_a_checkpoint_may_be_impossible(tmp_path: Path) -> None:
    def make_run() -> TrainingRun:
        run = trainer_with_its_own_files()
        save = run.save
        assert save is not None

        def save_once(path: Path) -> None:
            if path.exists():
                raise FileExistsError("there is one")
            save(path)

        return replace(run, save=save_once)

    found = compare_generations(plan_of(make_run, own=True), tmp_path)

    assert found == Generations(
        notes=(
            "Saving over a loaded checkpoint was not possible: "
            "save(path) over the loaded checkpoint raised FileExistsError: there is one",
        )
    )


def test_predictions_survive(tmp_path: Path) -> None:
    found = compare_predictions(plan_of(extra_state), tmp_path)

    assert found is not None
    assert (found.at, found.restored, found.unstable, found.fresh, found.failure) == (2, (), (), True, None)


def test_a_run_that_does_not_predict(tmp_path: Path) -> None:
    assert compare_predictions(plan_of(sgd_without_state), tmp_path) is None


def test_dropout_and_draws_do_not_make_predictions_differ(tmp_path: Path) -> None:
    def make_run() -> TrainingRun:
        run = plain_functions()
        predict = run.predict
        assert predict is not None
        return replace(run, predict=lambda: predict() + torch.rand(()))

    found = compare_predictions(plan_of(make_run), tmp_path)

    assert found is not None
    assert (found.restored, found.unstable) == ((), ())


def test_predictions_that_differ_and_predictions_that_never_repeat(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    lost = compare_predictions(broken("prediction_depends_on_hidden_state"), tmp_path)
    unstable = compare_predictions(plan_of(prediction_with_noise_from_outside), other)

    assert lost is not None
    assert [mismatch.path for mismatch in lost.restored] == ["prediction.threshold"]
    assert unstable is not None
    assert [mismatch.path for mismatch in unstable.unstable] == ["prediction"]


@pytest.mark.parametrize(("calls", "where"), [(0, "predict()"), (4, "predict() after loading")])
def test_a_prediction_that_raises_says_when(tmp_path: Path, calls: int, where: str) -> None:
    seen: list[int] = []

    def make_run() -> TrainingRun:
        def predict() -> float:
            seen.append(1)
            if len(seen) > calls:
                raise ValueError("no")
            return 1.0

        return replace(plain_functions(), predict=predict)

    found = compare_predictions(plan_of(make_run), tmp_path)

    assert found is not None
    assert str(found.failure) == f"{where} raised ValueError: no"


def test_without_leaves_paths_out(tmp_path: Path) -> None:
    found = compare_generations(broken("second_save_forgets"), tmp_path).other_path

    assert [m.path for m in without(found, ["model.0.weight"])] == [m.path for m in found if m.path != "model.0.weight"]
