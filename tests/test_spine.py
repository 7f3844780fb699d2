"""The spine by itself: what a run does on its way, what is loaded, and how two trajectories differ."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from zoo_good import averaged_weights, plain_functions, trainer_with_its_own_files
from zoo_parts import batch, fit, mlp

from pytest_ckpt import TrainingRun, UsageError
from pytest_ckpt.comparison import compare
from pytest_ckpt.faults import FAULTS
from pytest_ckpt.formats import get_format
from pytest_ckpt.runs.storage import format_storage, own_storage
from pytest_ckpt.spine import first_divergence, interrupt, load_into, save_on_the_way, uninterrupted
from pytest_ckpt.state import StateTree, capture
from pytest_ckpt.trips import FIRST_SEED, CallFailed, Plan, Trajectory, new_path, stage, workspace


def plan_of(make_run: Callable[[], Any], *, steps: int = 4, at: tuple[int, ...] = (0, 2), own: bool = False) -> Plan:
    storage = own_storage() if own else format_storage(get_format("torch"))
    return Plan(make_run=make_run, steps=steps, at=at, storage=storage)


def losses(trajectory: Trajectory) -> list[Any]:
    return [record["output"] for record in trajectory.records]


def test_an_uninterrupted_run_takes_every_step_once_and_repeats_itself() -> None:
    plan = plan_of(plain_functions)

    first, second = uninterrupted(plan), uninterrupted(plan)

    assert len(set(losses(first))) == 4
    assert losses(first) == losses(second)
    assert first.start == 0
    assert not compare(first.end.state, second.end.state)


def test_a_record_holds_the_result_and_the_learning_rates_after_the_step() -> None:
    record = uninterrupted(plan_of(trainer_with_its_own_files)).records[0]

    assert record["output"] > 0
    (rate,) = record["lr"]["optimizer"]
    assert math.isclose(rate, 0.02 * (1 + math.cos(math.pi / 8)) / 2)


def test_a_run_that_saves_on_its_way_does_what_one_does_that_never_saves(tmp_path: Path) -> None:
    plan = plan_of(plain_functions)

    saved = save_on_the_way(plan, tmp_path)

    assert losses(saved.trajectory) == losses(uninterrupted(plan))
    assert saved.paths == {k: tmp_path / f"step-{k}" / "checkpoint.pt" for k in (0, 2)}
    assert all(path.exists() for path in saved.paths.values())


def test_the_state_of_a_save_is_that_before_the_steps_that_follow(tmp_path: Path) -> None:
    saved = save_on_the_way(plan_of(averaged_weights), tmp_path)

    assert not compare(saved.trees[0].raw["model"], torch.load(saved.paths[0])["model"], traits=False)
    assert not compare(saved.trees[2].raw["model"], torch.load(saved.paths[2])["model"], traits=False)
    assert compare(saved.trees[0].state, saved.trees[2].state)


def test_a_good_run_makes_good_trips(tmp_path: Path) -> None:
    interruption = interrupt(plan_of(plain_functions), tmp_path)

    assert [trip.at for trip in interruption.trips] == [0, 2]
    for trip in interruption.trips:
        assert (trip.restored, trip.lasting, trip.divergence, trip.end, trip.failure) == ((), (), None, (), None)
    assert interruption.trips[0].fresh == ()
    assert "model.0.weight" in interruption.trips[1].fresh
    assert interruption.trips[1].paths > 4 * 4


def test_a_trip_says_what_was_not_restored_and_where_the_runs_part(tmp_path: Path) -> None:
    (trip,) = interrupt(plan_of(FAULTS["forget_optimizer"].inject(averaged_weights), at=(2,), own=True), tmp_path).trips

    assert {mismatch.path.split("[")[0] for mismatch in trip.restored} == {"optimizer.state"}
    assert trip.divergence is not None
    assert trip.divergence.step == 3
    assert [mismatch.path for mismatch in trip.divergence.mismatches] == ["output"]


def test_a_trip_can_be_told_which_paths_are_unstable(tmp_path: Path) -> None:
    plan = plan_of(FAULTS["keep_random_state"].inject(plain_functions), at=(2,), own=True)

    (trip,) = interrupt(plan, tmp_path, unstable=["output"]).trips

    assert trip.divergence is None
    assert "model.0.weight" in {mismatch.path for mismatch in trip.end}


def test_a_load_that_raises_is_a_finding_of_its_trip(tmp_path: Path) -> None:
    def make_run() -> TrainingRun:
        run = trainer_with_its_own_files()

        def load(path: Path) -> None:
            raise EOFError("half a file")

        return replace(run, load=load)

    trips = interrupt(plan_of(make_run, own=True), tmp_path).trips

    assert [str(trip.failure) for trip in trips] == ["load(path) raised EOFError: half a file"] * 2
    assert trips[0].failure is not None
    assert "in load: raise EOFError" in trips[0].failure.where[-1]


@pytest.mark.parametrize(
    ("broken", "what"),
    [("save", "save(path) after 0 steps raised OSError: full"), ("step", "step(0) raised OSError: full")],
)
def test_a_run_that_cannot_train_or_save_cannot_be_interrupted(tmp_path: Path, broken: str, what: str) -> None:
    def fail(argument: object) -> None:
        raise OSError("full")

    changes: Any = {broken: fail}

    with pytest.raises(CallFailed) as caught:
        interrupt(plan_of(lambda: replace(trainer_with_its_own_files(), **changes), own=True), tmp_path)

    assert str(caught.value) == what


def test_a_step_that_raises_after_loading_says_which(tmp_path: Path) -> None:
    """The optimizer was built from another model's parameters."""

    def make_run() -> TrainingRun:
        run = trainer_with_its_own_files()
        loaded: list[Path] = []

        def load(path: Path) -> None:
            loaded.append(path)

        def step(i: int) -> float:
            if loaded:
                raise ValueError("no such group")
            return 0.0

        return replace(run, load=load, step=step)

    (trip,) = interrupt(plan_of(make_run, at=(2,), own=True), tmp_path).trips

    assert str(trip.failure) == "step(2) or a later one, after loading, raised ValueError: no such group"


def test_the_steps_go_on_counting_after_a_load(tmp_path: Path) -> None:
    asked: list[list[int]] = []

    def make_run() -> TrainingRun:
        model = mlp()
        asked.append([])
        return TrainingRun(components={"model": model}, step=asked[-1].append)

    interrupt(plan_of(make_run, at=(1, 3)), tmp_path)

    assert asked == [[0, 1, 2, 3], [1, 2, 3], [3]]


def test_the_same_objects_twice_are_refused(tmp_path: Path) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    with pytest.raises(UsageError, match="returned the same component 'model' twice"):
        interrupt(plan_of(lambda: {"model": model, "optimizer": optimizer}), tmp_path)


def test_a_thread_that_copied_first_may_write_late(tmp_path: Path) -> None:
    """It is waited for, though the program leaves it alone: whoever resumes is another process, much later."""

    def make_run() -> TrainingRun:
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def save(path: Path) -> None:
            weights = {name: value.clone() for name, value in model.state_dict().items()}

            def write() -> None:
                time.sleep(0.02)
                torch.save(weights, path)

            threading.Thread(target=write).start()

        return TrainingRun(
            components={"model": model},
            step=lambda i: fit(model, optimizer, batch(i)),
            save=save,
            load=lambda path: model.load_state_dict(torch.load(path)),
        )

    trips = interrupt(plan_of(make_run, own=True), tmp_path).trips

    assert [(trip.restored, trip.failure) for trip in trips] == [((), None), ((), None)]


def test_loading_gives_a_fresh_run_the_saved_state_and_the_number_of_its_step(tmp_path: Path) -> None:
    plan = plan_of(averaged_weights)
    saved = save_on_the_way(plan, tmp_path)
    fresh = save_on_the_way(replace(plan, steps=1, at=(0,)), new_path(tmp_path, "other", plan.storage).parent).run

    loaded = load_into(plan, fresh, saved, 2)

    assert not compare(saved.trees[2].state, loaded.state)
    assert fresh.steps_done == 2


def trajectory(*values: Any, start: int = 0) -> Trajectory:
    end = StateTree(state={}, raw={}, traits={}, sharing={})
    return Trajectory(start=start, records=[{"output": value} for value in values], end=end)


@pytest.mark.parametrize(
    ("other", "step"),
    [
        (trajectory(1.0, 2.0, 3.0), None),
        (trajectory(1.0, 2.5, 9.0), 1),
        (trajectory(2.0, 3.0, start=1), None),
        (trajectory(2.0, 3.5, start=1), 2),
        (trajectory(start=3), None),
        (trajectory(1, 2.0, 3.0), 0),
    ],
)
def test_the_first_divergence_is_the_first_step_that_differs(other: Trajectory, step: int | None) -> None:
    found = first_divergence(trajectory(1.0, 2.0, 3.0), other)

    assert (found and found.step) == step


def test_a_divergence_is_more_than_an_ignored_path() -> None:
    one, other = trajectory({"loss": 1.0, "time": 3}), trajectory({"loss": 2.0, "time": 4})

    assert first_divergence(one, other, ["output.loss", "output.time"]) is None
    found = first_divergence(one, other, ["output.time"])
    assert found is not None
    assert [mismatch.path for mismatch in found.mismatches] == ["output.loss"]


def test_not_a_number_is_what_it_was() -> None:
    assert first_divergence(trajectory(math.nan), trajectory(math.nan)) is None
    assert first_divergence(trajectory(0.0), trajectory(-0.0)) is not None


def test_the_workspace_is_gone_afterwards() -> None:
    with workspace() as directory:
        new_path(directory, "one", own_storage()).write_text("something")

    assert not directory.exists()


def test_a_new_path_does_not_exist_and_its_directory_is_empty(tmp_path: Path) -> None:
    path = new_path(tmp_path, "one", format_storage(get_format("dcp")))

    assert path == tmp_path / "one" / "checkpoint"
    assert not path.exists()
    assert list(path.parent.iterdir()) == []


def test_what_a_program_raises_is_told_from_an_interrupt_and_from_misuse() -> None:
    with pytest.raises(CallFailed, match=r"^load\(path\) raised KeyError: 'model'$"), stage("load(path)"):
        raise KeyError("model")
    with pytest.raises(KeyboardInterrupt), stage("load(path)"):
        raise KeyboardInterrupt
    with pytest.raises(UsageError, match=r"^no$"), stage("load(path)"):
        raise UsageError("no")


def test_the_global_state_of_a_plan_can_be_put_back() -> None:
    plan = plan_of(plain_functions)
    torch.manual_seed(FIRST_SEED)
    noted = plan.ambient()
    drawn = torch.rand(3)

    plan.set_ambient(noted)

    assert {"rng.python", "rng.torch"} <= noted.keys()
    assert torch.equal(torch.rand(3), drawn)


def test_a_capture_of_the_end_holds_every_component() -> None:
    end = uninterrupted(plan_of(averaged_weights)).end

    assert end.state.keys() == capture(dict(averaged_weights().components)).state.keys()  # type: ignore[arg-type]
