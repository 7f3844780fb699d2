"""All checks run on a simulated device: the program is called with it, and trains, saves and loads there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from pytest_ckpt import CheckpointFailure, check_training_run
from pytest_ckpt.devices import worlds

BUGS = Path(__file__).parent / "bugs"
# Those of placement are on other devices, whatever is asked for.
ORDINARY = ["fidelity", "resume", "side_effects"]
# What no check of one device can see: the state is all there, and nothing that the program does shows the place.
UNSEEN = {"counters_moved_to_the_device"}


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"on_device_{name}", BUGS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ON_ONE_DEVICE = sorted(
    path.stem for path in BUGS.glob("*.py") if '"cuda:1 -> cuda:1"' in path.read_text() and path.stem not in UNSEEN
)


@pytest.mark.parametrize("name", ON_ONE_DEVICE)
def test_a_bug_is_found_on_the_device_that_shows_it(name: str) -> None:
    with pytest.raises(CheckpointFailure):
        check_training_run(load(name).make_buggy, devices=["cuda:1"], steps=3, select=ORDINARY)


@pytest.mark.parametrize("name", ON_ONE_DEVICE)
def test_its_mended_twin_is_not_accused(name: str) -> None:
    check_training_run(load(name).make_fixed, devices=["cuda:1"], steps=3, select=ORDINARY)


def test_there_are_bugs_of_one_device() -> None:
    assert len(ON_ONE_DEVICE) > 15


def test_the_report_says_that_the_device_is_simulated_and_names_what_was_lost() -> None:
    with pytest.raises(CheckpointFailure) as caught:
        check_training_run(
            load("random_state_of_the_cpu_alone").make_buggy, devices=["cuda:1"], steps=3, select=["resume_is_exact"]
        )

    lines = str(caught.value).splitlines()
    assert lines[:4] == [
        "Checkpoint checks of make_buggy: 1 fail.",
        "",
        "FAIL resume_is_exact on simulated cuda:1 (of 2)",
        "The resumed run is not the run that never stopped: saved after 0 steps, they part at step(0).",
    ]
    assert "To blame: rng.cuda:1 (restoring it alone makes the runs agree)." in lines
    assert (
        "Save and restore this random state with torch.cuda.get_rng_state_all() and torch.cuda.set_rng_state_all()."
        in lines
    )


def test_where_devices_cannot_be_simulated_checks_are_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "why_unsupported", lambda: "torch 9 has no such thing")

    outcomes = check_training_run(
        load("plain_tensor_attribute").make_buggy, devices=["cuda:1"], steps=2, select=ORDINARY
    )

    assert {outcome.status for outcome in outcomes} == {"skipped"}
    assert outcomes["resume_is_exact"].summary == "cuda:1 cannot be simulated here: torch 9 has no such thing."


def test_the_cpu_is_the_cpu() -> None:
    outcomes = check_training_run(load("plain_tensor_attribute").make_fixed, devices=["cpu"], steps=2, select=ORDINARY)

    assert {outcome.device for outcome in outcomes} == {"cpu"}
