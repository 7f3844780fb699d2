"""The checks of placement: every bug that a CPU hides is found and named, and no correct program is accused."""

from __future__ import annotations

import importlib.util
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from zoo_good import made_on_a_device, plain_functions
from zoo_parts import batch, fit, mlp

from pytest_ckpt import TrainingRun, check_training_run, selftest
from pytest_ckpt.checks import CHECKS, Outcomes
from pytest_ckpt.devices import worlds
from pytest_ckpt.faults.moving import MOVING
from pytest_ckpt.reporting import report
from pytest_ckpt.running import plan_checks
from pytest_ckpt.self_testing import plan_faults

HERE = Path(__file__).parent
BUGS = sorted(path.stem for path in (HERE / "bugs").glob("*.py"))
MOVES = [name for name, check in CHECKS.items() if check.group == "placement"]
CHECK_OF = {
    "cuda:1 -> cuda:1": "placement_cuda_to_cuda",
    "cuda:1 -> cpu": "placement_cuda_to_cpu",
    "cpu -> cuda:1": "placement_cpu_to_cuda",
    "cuda:1 -> cuda:0 of 1": "placement_to_fewer_devices",
}


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"moved_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def moved(make_run: Callable[..., Any], **options: Any) -> Outcomes:
    return check_training_run(make_run, raise_on_failure=False, **{"select": ["placement"], **options})


@pytest.mark.parametrize("name", sorted(set(BUGS) - {"counters_moved_to_the_device"}))
def test_a_bug_is_found_by_the_checks_of_its_moves_and_named(name: str) -> None:
    program = load(HERE / "bugs" / f"{name}.py")

    outcomes = moved(program.make_buggy)

    assert {outcome.check for outcome in outcomes.failures} >= {CHECK_OF[move] for move in program.SHOWS}
    assert any(word in report(outcomes, limit=0) for word in program.NAMES)


@pytest.mark.parametrize("name", BUGS)
def test_its_mended_twin_passes(name: str) -> None:
    outcomes = moved(load(HERE / "bugs" / f"{name}.py").make_fixed)

    assert {outcome.check: outcome.status for outcome in outcomes} == dict.fromkeys(MOVES, "pass")


def test_counters_on_the_device_are_worth_a_note() -> None:
    """They cost a wait in each step and change nothing; ``map_location=device`` alone brings them there."""
    outcomes = moved(load(HERE / "bugs" / "counters_moved_to_the_device.py").make_buggy)

    assert not outcomes.failures
    assert outcomes["placement_cuda_to_cuda"].notes == (
        "After loading elsewhere than where training has it, and the steps that follow are the same: "
        "optimizer.state[0.bias].step on cuda:1, optimizer.state[0.weight].step on cuda:1, "
        "optimizer.state[2.bias].step on cuda:1, optimizer.state[2.weight].step on cuda:1.",
    )


def test_map_location_alone_is_enough() -> None:
    def make_run(device: str = "cpu") -> TrainingRun:
        model = mlp().to(device)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)

        def read(path: Path) -> None:
            state = torch.load(path, map_location=device)
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])

        return TrainingRun(
            components={"model": model, "optimizer": optimizer},
            step=lambda i: fit(model, optimizer, batch(i).to(device)),
            save=lambda path: torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path),
            load=read,
        )

    assert {outcome.status for outcome in moved(make_run)} == {"pass"}


def test_a_correct_program_for_any_device_passes() -> None:
    program = load(HERE.parent / "programs" / "correct" / "device_argument.py")

    outcomes = moved(program.make_run)

    assert {outcome.check: outcome.status for outcome in outcomes} == dict.fromkeys(MOVES, "pass")


@pytest.mark.parametrize("format", ["torch", "safetensors", "dcp", "pickle"])
def test_states_in_the_formats_of_this_package_move_as_well(format: str) -> None:
    outcomes = moved(made_on_a_device, formats=[format])

    assert {outcome.status for outcome in outcomes} == {"pass"}, report(outcomes)


def test_they_run_by_default_where_a_run_is_made_on_a_device_that_is_asked_for() -> None:
    planned = [item.id for item in plan_checks(made_on_a_device) if item.name in MOVES]

    assert planned == [f"{name}-simulated" for name in MOVES]
    assert not [item.id for item in plan_checks(plain_functions) if item.name in MOVES]


def test_they_run_once_whatever_devices_the_others_run_on() -> None:
    planned = [item.id for item in plan_checks(made_on_a_device, devices=["cuda:0", "cuda:1"], formats=["torch"])]

    assert [each for each in planned if each.startswith("placement")] == [f"{name}-torch-simulated" for name in MOVES]
    assert "resume_is_exact-torch-simulated-cuda:1" in planned


def test_devices_that_are_there_are_not_called_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "_is_real", lambda device, count: True)

    planned = [item.id for item in plan_checks(made_on_a_device, devices=["cuda:1"], select=["resume", MOVES[0]])]

    assert planned == ["resume_is_exact-cuda:1", "second_resume_is_exact-cuda:1", MOVES[0]]


def test_a_run_that_is_made_on_no_device_but_its_own_is_skipped_where_they_are_selected() -> None:
    outcomes = moved(plain_functions, select=["placement_cuda_to_cpu", "resume_is_exact"])

    assert outcomes["resume_is_exact"].status == "pass"
    assert outcomes["placement_cuda_to_cpu"].status == "skipped"
    assert outcomes["placement_cuda_to_cpu"].summary == (
        "make_run has no parameter 'device'. Give it one, as in make_run(device=\"cpu\"), and make the run on that "
        "device."
    )


def made_for_the_cpu(device: str = "cpu") -> TrainingRun:
    model = mlp().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return TrainingRun(
        components={"model": model, "optimizer": optimizer}, step=lambda i: fit(model, optimizer, batch(i))
    )


def test_a_program_that_does_not_train_on_a_device_is_no_matter_of_its_checkpoints() -> None:
    outcomes = moved(made_for_the_cpu)

    assert {outcome.status for outcome in outcomes} == {"skipped"}
    summary = outcomes["placement_cuda_to_cpu"].summary
    assert summary.startswith("The run does not train on simulated cuda:1 (of 2): step")
    assert "to be on the same device" in summary
    assert summary.endswith(". No checkpoint has a part in it.")
    assert "\n" not in summary


def test_a_program_that_does_not_heed_the_device_shows_nothing() -> None:
    def make_run(device: str = "cpu") -> TrainingRun:
        return made_for_the_cpu()

    outcomes = moved(make_run)

    assert {outcome.status for outcome in outcomes} == {"vacuous"}
    assert outcomes["placement_cpu_to_cuda"].summary == (
        "No tensor of the run is on cuda:1, although make_run was called with device='cuda:1'."
    )


def test_training_that_does_not_repeat_is_undecidable_on_a_device() -> None:
    def make_run(device: str = "cpu") -> TrainingRun:
        model = mlp().to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def step(i: int) -> float:
            noise = int.from_bytes(os.urandom(2), "big") / 2**16
            return fit(model, optimizer, (batch(i) + noise).to(device))

        return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)

    assert not moved(make_run).failures


def test_what_is_lost_on_a_cpu_too_is_not_said_five_times() -> None:
    def make_run(device: str = "cpu") -> TrainingRun:
        model = mlp().to(device)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        return TrainingRun(
            components={"model": model, "optimizer": optimizer},
            step=lambda i: fit(model, optimizer, batch(i).to(device)),
            save=lambda path: torch.save(model.state_dict(), path),
            load=lambda path: model.load_state_dict(torch.load(path, map_location="cpu")),
        )

    failing = {outcome.check for outcome in moved(make_run, select=["default"]).failures}

    assert "state_is_restored" in failing
    assert not failing & set(MOVES)


def test_a_load_that_never_works_is_another_matter() -> None:
    def make_run(device: str = "cpu") -> TrainingRun:
        run = made_on_a_device(device)

        def load(path: Path) -> None:
            raise OSError("no such bucket")

        return TrainingRun(components=run.components, step=run.step, save=run.save, load=load)

    outcomes = moved(make_run)

    assert {outcome.status for outcome in outcomes} == {"skipped"}
    assert outcomes["placement_cuda_to_cpu"].summary == (
        "The checkpoint is not right without another device either: see state_is_restored."
    )


def test_what_is_ignored_may_be_anywhere_and_anything() -> None:
    program = load(HERE / "bugs" / "random_state_of_the_cpu_alone.py")

    assert moved(program.make_buggy).failures
    assert not moved(program.make_buggy, ignore=["rng.*"]).failures


def test_what_training_does_not_depend_on_may_be_anywhere() -> None:
    """The losses of a log are on the device where they were computed, and on the CPU where they were loaded."""

    class Trainer:
        def __init__(self, device: str) -> None:
            self.device, self.losses = device, torch.zeros(3, device=device)
            self.model = mlp().to(device)
            self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

        def step(self, i: int) -> float:
            return fit(self.model, self.optimizer, batch(i).to(self.device))

        def save(self, path: Path) -> None:
            torch.save([self.model.state_dict(), self.optimizer.state_dict(), self.losses], path)

        def load(self, path: Path) -> None:
            model, optimizer, self.losses = torch.load(path, map_location="cpu")
            self.model.load_state_dict(model)
            self.optimizer.load_state_dict(optimizer)

    def make_run(device: str = "cpu") -> TrainingRun:
        trainer = Trainer(device)
        components = {"model": trainer.model, "optimizer": trainer.optimizer}
        return TrainingRun(components=components, step=trainer.step, save=trainer.save, load=trainer.load)

    outcomes = moved(make_run)

    assert {outcome.status for outcome in outcomes} == {"pass"}
    (note,) = outcomes["placement_cuda_to_cuda"].notes
    assert note.startswith("After loading elsewhere than where training has it, and the steps that follow are the same")
    assert note.endswith("losses on cpu.")


def test_a_module_in_the_wrong_place_is_found_before_anything_fails() -> None:
    """The average is used every tenth step, which the few steps after the load do not reach."""

    def make_run(device: str = "cpu") -> TrainingRun:
        model, average = mlp().to(device), mlp().to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "average": average}

        def step(i: int) -> float:
            if i % 10 == 9:
                average.load_state_dict(
                    {name: value + average.state_dict()[name] for name, value in model.state_dict().items()}
                )
            return fit(model, optimizer, batch(i).to(device))

        def read(path: Path) -> None:
            for name, state in torch.load(path, map_location=device).items():
                parts[name].load_state_dict(state)
            average.cpu()

        def save(path: Path) -> None:
            torch.save({name: part.state_dict() for name, part in parts.items()}, path)

        return TrainingRun(components=parts, step=step, save=save, load=read)

    outcomes = moved(make_run)

    assert [outcome.status for outcome in outcomes] == ["fail", "pass", "fail", "fail"]
    assert outcomes["placement_cpu_to_cuda"].summary == (
        "Saved on cpu after 2 steps and loaded on simulated cuda:1 (of 2), the run has tensors in the wrong place."
    )
    assert (
        "    average.0.bias (state of the run): on cpu, belongs on cuda:1" in outcomes["placement_cpu_to_cuda"].details
    )


def test_where_devices_cannot_be_simulated_the_moves_to_one_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "why_unsupported", lambda: "torch 9 has no such thing")

    outcomes = moved(load(HERE / "bugs" / "no_map_location.py").make_buggy)

    assert outcomes["placement_cpu_to_cuda"].summary == "cuda:1 cannot be simulated here: torch 9 has no such thing."
    assert outcomes["placement_cuda_to_cuda"].status == "skipped"
    assert outcomes["placement_cuda_to_cpu"].status == "fail", "the locations in the file tell"


def test_the_self_test_moves_a_run_that_takes_a_device() -> None:
    moving = {fault.name for fault in MOVING}

    found = selftest(made_on_a_device, select=["placement"], faults=moving)

    assert {item.fault: item.status for item in found} == dict.fromkeys(moving, "seen")
    assert not {fault.fault.name for fault in plan_faults(plan_checks(plain_functions))} & moving


def test_faults_that_would_change_nothing_do_not_apply() -> None:
    def make_run(device: str = "cpu") -> TrainingRun:
        model = mlp().to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        return TrainingRun(
            components={"model": model, "optimizer": optimizer},
            step=lambda i: fit(model, optimizer, batch(i).to(device)),
        )

    reasons = {fault.name: fault.applies(make_run, 3, range(3)) for fault in MOVING}

    assert reasons == {
        "optimizer_state_stays_on_the_cpu": "No optimizer keeps tensors on the run's device.",
        "keep_random_state_of_devices": "Training draws no random numbers on its device.",
        "load_wants_the_saved_device": None,
    }
    assert {fault.applies(plain_functions, 3, range(3)) for fault in MOVING} == {"make_run has no parameter 'device'."}
    assert {fault.applies(made_for_the_cpu, 3, range(3)) for fault in MOVING} == {
        "On simulated cuda:1 (of 2) the run raises RuntimeError."
    }


def at_line(function: Any, words: str) -> str:
    lines, first = inspect.getsourcelines(function)
    offset = next(number for number, line in enumerate(lines) if words in line)
    return f"{inspect.getsourcefile(function)}:{first + offset}, in {function.__name__}: {words}"


def test_a_refused_checkpoint_is_reported_word_for_word() -> None:
    program = load(HERE / "bugs" / "no_map_location.py")
    where = at_line(program.Buggy.load, "state = torch.load(path)")

    assert report(moved(program.make_buggy, select=["placement_cuda_to_cpu"])).splitlines() == [
        "Checkpoint checks of make_buggy: 1 fail.",
        "",
        "FAIL placement_cuda_to_cpu on simulated cuda:1 (of 2) -> cpu",
        "A checkpoint saved on simulated cuda:1 (of 2) after 2 steps cannot be loaded on cpu: load(path) raised "
        "RuntimeError: Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If "
        "you are running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map "
        "your storages to the CPU.",
        f"    at {where}",
        "Call torch.load(path, map_location=device) with the device of this run.",
        'Or, if this is on purpose: expected_failures={"placement_cuda_to_cpu": "the reason"}.',
    ]


def test_state_in_two_places_is_reported_word_for_word() -> None:
    program = load(HERE / "bugs" / "optimizer_loaded_before_the_move.py")
    where = at_line(program.Trainer.step, "self.optimizer.step()")

    assert report(moved(program.make_buggy, select=["placement_cpu_to_cuda"])).splitlines() == [
        "Checkpoint checks of make_buggy: 1 fail.",
        "",
        "FAIL placement_cpu_to_cuda on cpu -> simulated cuda:1 (of 2)",
        "Saved on cpu after 2 steps and loaded on simulated cuda:1 (of 2), the run cannot train on: step(2) or a later "
        "one, after loading, raised RuntimeError: Expected all tensors to be on the same device, but found at least "
        "two devices, cuda:1 and cpu! (in _foreach_lerp_, on simulated devices)",
        f"    at {where}",
        "In the wrong place, after loading:",
        "    optimizer.state[0.bias].exp_avg (optimizer state): on cpu, belongs on cuda:1",
        "    optimizer.state[0.bias].exp_avg_sq (optimizer state): on cpu, belongs on cuda:1",
        "    optimizer.state[0.weight].exp_avg (optimizer state): on cpu, belongs on cuda:1",
        "    optimizer.state[0.weight].exp_avg_sq (optimizer state): on cpu, belongs on cuda:1",
        "    optimizer.state[2.bias].exp_avg (optimizer state): on cpu, belongs on cuda:1",
        "    optimizer.state[2.bias].exp_avg_sq (optimizer state): on cpu, belongs on cuda:1",
        "    and 2 more",
        "Move the model to its device first, and then load the optimizer's state with load_state_dict().",
        'Or, if this is on purpose: expected_failures={"placement_cpu_to_cuda": "the reason"}.',
    ]


def test_a_device_that_is_not_there_is_reported_word_for_word() -> None:
    program = load(HERE / "bugs" / "device_kept_in_the_checkpoint.py")
    where = at_line(program.Buggy.load, "self.model.to(self.device)")

    assert report(moved(program.make_buggy, select=["placement_to_fewer_devices"])).splitlines()[2:] == [
        "FAIL placement_to_fewer_devices on simulated cuda:1 (of 2) -> simulated cuda:0",
        "A checkpoint saved on simulated cuda:1 (of 2) after 2 steps cannot be loaded on simulated cuda:0: load(path) "
        "raised RuntimeError: CUDA error: invalid device ordinal",
        "cuda:1 is none of the 1 simulated cuda device of this machine.",
        f"    at {where}",
        "Take the device from the run that loads, not from the checkpoint, and ask torch.cuda.is_available() and "
        "torch.cuda.device_count() before a device is used by its number.",
        'Or, if this is on purpose: expected_failures={"placement_to_fewer_devices": "the reason"}.',
    ]


def test_random_state_of_a_device_is_blamed_word_for_word() -> None:
    program = load(HERE / "bugs" / "random_state_of_the_cpu_alone.py")

    lines = report(moved(program.make_buggy, select=["placement_cuda_to_cuda"])).splitlines()

    assert lines[2:5] == [
        "FAIL placement_cuda_to_cuda on simulated cuda:1 (of 2)",
        "The resumed run is not the run that never stopped: saved after 2 steps, they part at step(2).",
        "output: value differs",
    ]
    assert lines[7:] == [
        "To blame: rng.cuda:1 (restoring it alone makes the runs agree).",
        "    rng.cuda:1: saved the random state of cuda:1 when the run was saved, loaded another one",
        "Where the run is made without device=, it is right.",
        "Save and restore this random state with torch.cuda.get_rng_state_all() and torch.cuda.set_rng_state_all().",
        'Or, if this is on purpose: expected_failures={"placement_cuda_to_cuda": "the reason"}.',
    ]
