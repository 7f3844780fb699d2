"""``check_training_run`` and ``plan_checks``: what is run, in which format, where, and what is left behind."""

from __future__ import annotations

import os
import random
import threading
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from zoo_good import (
    averaged_weights,
    extra_state,
    frozen_backbone,
    made_on_a_device,
    plain_functions,
    trainer_with_its_own_files,
)
from zoo_parts import batch, fit, mlp

from pytest_ckpt import CheckpointFailure, TrainingRun, UsageError, check_training_run
from pytest_ckpt.checks import CHECKS, DEFAULT_GROUPS, inquiry
from pytest_ckpt.faults import FAULTS
from pytest_ckpt.running import plan_checks


def names(*select: str, on: Callable[..., Any] = plain_functions) -> list[str]:
    return [item.name for item in plan_checks(on, select=select)]


FIDELITY = [
    "state_is_restored",
    "traits_are_restored",
    "outputs_are_restored",
    "second_generation_equals_first",
]


@pytest.mark.usefixtures("new_processes")
def test_select_takes_names_groups_and_globs_and_keeps_the_order_of_the_catalogue() -> None:
    assert names("default") == [name for name in names("all") if CHECKS[name].group in DEFAULT_GROUPS]
    assert set(names("all")) - set(names("default")) >= {"every_component_is_needed"}
    moves = {name for name, check in CHECKS.items() if check.group == "placement"}
    assert set(names("all")) == set(CHECKS) - moves, "plain_functions is made on no device but its own"
    assert set(names("placement")) == set(names("placement_*")) == moves
    assert set(names("all", on=made_on_a_device)) == set(CHECKS)
    assert set(names("default", on=made_on_a_device)) == set(names("default")) | moves
    assert names("fidelity") == FIDELITY
    assert names("resume_is_exact", "state_*") == ["state_is_restored", "resume_is_exact"]
    assert names("durability") == []


def test_a_lone_name_may_stand_for_a_list() -> None:
    planned = plan_checks(plain_functions, select="resume_is_exact", formats="dill", ignore="rng.*")

    assert [item.id for item in planned] == ["resume_is_exact-dill"]


def test_a_check_that_does_not_exist() -> None:
    with pytest.raises(UsageError) as caught:
        check_training_run(plain_functions, select=["state_is_restord"])

    assert str(caught.value) == (
        "No check is called 'state_is_restord'. Did you mean 'state_is_restored'? There are: default, all, "
        f"fidelity, resume, side_effects, processes, placement, strictness, economy, "
        f"{', '.join(CHECKS)}."
    )


def test_a_format_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match=r"There is no checkpoint format 'safetensor'\. Did you mean 'safetensors'\?"):
        check_training_run(plain_functions, formats=["safetensor"])


def test_planning_makes_no_run() -> None:
    def make_run() -> TrainingRun:
        raise AssertionError("not yet")

    planned = plan_checks(make_run, formats=["torch", "dcp"])

    assert len(planned) == 2 * len(names("default"))
    assert planned[0].id == "state_is_restored-torch"


@pytest.mark.parametrize("form", ["torch", "torch-legacy", "pickle", "dill", "cloudpickle", "safetensors", "dcp"])
def test_a_run_without_save_is_checked_in_every_format(form: str) -> None:
    outcomes = check_training_run(plain_functions, formats=[form], steps=3)

    assert {outcome.status for outcome in outcomes} == {"pass"}
    assert {outcome.format for outcome in outcomes} == {form}


def test_its_own_save_and_a_format_side_by_side() -> None:
    outcomes = check_training_run(trainer_with_its_own_files, formats=["own", "pickle"], steps=3)

    count = len(names("default"))
    assert [outcome.format for outcome in outcomes] == ["own"] * count + ["pickle"] * count
    assert {outcome.status for outcome in outcomes} == {"pass"}


def test_a_run_without_save_has_no_format_of_its_own() -> None:
    with pytest.raises(UsageError) as caught:
        check_training_run(plain_functions, formats=["own"])

    assert str(caught.value) == "The format 'own' is the run's own save and load, but it has none."


def test_a_format_whose_package_is_missing_is_skipped_with_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_safetensors(name: str) -> Any:
        if name == "pytest_ckpt.formats.with_safetensors":
            raise ModuleNotFoundError("No module named 'safetensors'", name="safetensors")
        return import_module(name)

    monkeypatch.setattr("pytest_ckpt.formats.registry.import_module", without_safetensors)

    outcomes = check_training_run(plain_functions, formats=["safetensors"])

    assert {outcome.status for outcome in outcomes} == {"skipped"}
    assert outcomes["resume_is_exact"].summary == (
        "The format 'safetensors' needs safetensors: pip install safetensors"
    )


def test_a_format_that_cannot_keep_the_state_is_skipped_with_the_reason() -> None:
    class Note:
        def state_dict(self) -> dict[str, Any]:
            return {"value": frozenset({1})}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            pass

    outcomes = check_training_run(lambda: {"model": mlp(), "note": Note()}, formats=["torch", "pickle"])

    by_format = {outcome.format: outcome for outcome in outcomes if outcome.check == "state_is_restored"}
    assert by_format["torch"].status == "skipped"
    assert "frozenset" in by_format["torch"].summary
    assert by_format["pickle"].status == "pass"


def test_devices_are_given_to_make_run() -> None:
    asked: list[str] = []

    def make_run(device: str = "meta") -> TrainingRun:
        asked.append(device)
        model = mlp().to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        return TrainingRun(
            components={"model": model, "optimizer": optimizer}, step=lambda i: fit(model, optimizer, batch(i))
        )

    outcomes = check_training_run(make_run, devices=["cpu"], steps=2, select=["fidelity", "resume"])

    assert set(asked) == {"cpu"}
    assert {outcome.device for outcome in outcomes} == {"cpu"}
    assert plan_checks(make_run, devices="cpu", select=["resume"])[0].id == "resume_is_exact-cpu"


def test_devices_need_a_parameter() -> None:
    with pytest.raises(UsageError) as caught:
        check_training_run(plain_functions, devices=["cpu"])

    assert str(caught.value) == "devices=['cpu'], but make_run has no parameter 'device' to be called with."


def forgetting(kind: str, make_run: Callable[[], Any]) -> Callable[[], Any]:
    return FAULTS[kind].inject(make_run)


@pytest.mark.parametrize(
    ("fault", "run", "ignore"),
    [
        ("keep_random_state", plain_functions, ["rng.*"]),
        ("keep_random_state", plain_functions, ["rng.torch"]),
        ("forget_optimizer", averaged_weights, ["optimizer"]),
        ("zero_optimizer_state", averaged_weights, ["optimizer.state*"]),
        ("drop_tensor", extra_state, ["model.0.*"]),
        ("forget_model", averaged_weights, ["model", "average"]),
    ],
)
def test_what_is_ignored_is_carried_over(fault: str, run: Callable[[], Any], ignore: list[str]) -> None:
    broken = forgetting(fault, run)

    assert check_training_run(broken, raise_on_failure=False).failures
    outcomes = check_training_run(broken, ignore=ignore)

    assert {outcome.status for outcome in outcomes} == {"pass"}
    assert f"Carried over instead of loaded: {', '.join(ignore)}." in outcomes["state_is_restored"].notes


@pytest.mark.parametrize("glob", ["rgn.*", "model.wieght", "optimiser"])
def test_a_glob_that_nothing_is_called_is_told(glob: str) -> None:
    notes = check_training_run(plain_functions, ignore=["optimizer.state[0.weight]", glob])["state_is_restored"].notes

    assert "Carried over instead of loaded: optimizer.state[0.weight]." in notes
    assert f"Nothing is called {glob}, so nothing was carried over for it." in notes


@pytest.mark.parametrize("ignore", [["rng.python"], ["optimizer"], ["model.1*"]])
def test_what_is_not_ignored_is_still_seen(ignore: list[str]) -> None:
    outcomes = check_training_run(
        forgetting("keep_random_state", plain_functions), ignore=ignore, raise_on_failure=False
    )

    assert outcomes["resume_is_exact"].status == "fail"


def test_a_backbone_that_no_checkpoint_holds_can_be_ignored() -> None:
    """Another backbone in every process: resuming is only right for those who know it is the same one."""

    def make_run() -> TrainingRun:
        run = frozen_backbone()
        components: Any = run.components
        torch.nn.init.normal_(components["model"][0].weight)
        return run

    assert not check_training_run(make_run, ignore=["model.0.*"]).failures
    with pytest.raises(CheckpointFailure):
        check_training_run(make_run)


@pytest.mark.parametrize("run", [mlp(), None, 3, {"model": mlp()}])
def test_an_object_is_no_factory(run: Any) -> None:
    with pytest.raises(UsageError, match="a check takes a factory, not an object"):
        check_training_run(run)


def test_each_check_alone_says_what_it_says_among_the_others() -> None:
    broken = forgetting("forget_optimizer", averaged_weights)
    together = check_training_run(broken, select=["all", "placement"], raise_on_failure=False)

    for check in CHECKS:
        assert check_training_run(broken, select=[check], raise_on_failure=False)[check] == together[check]


def test_a_run_is_made_often_but_not_without_end() -> None:
    made = 0

    def make_run() -> TrainingRun:
        nonlocal made
        made += 1
        return plain_functions()

    check_training_run(make_run)

    assert made <= 20


class Messy:
    """Leaves behind all it can: whoever checks it cleans up."""

    def __init__(self, path: Path) -> None:
        self.elsewhere = path
        self.model = mlp()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(2)
        torch.use_deterministic_algorithms(True)
        os.environ["MESSY"] = "1"
        os.chdir(self.elsewhere)
        warnings.simplefilter("ignore")
        torch.manual_seed(3)
        random.seed(3)
        torch.set_default_dtype(torch.float32)

    def step(self, i: int) -> float:
        return fit(self.model, self.optimizer, batch(i))

    def save(self, path: Path) -> None:
        torch.set_grad_enabled(False)
        torch.save([self.model.state_dict(), self.optimizer.state_dict()], path)
        torch.set_grad_enabled(True)

    def load(self, path: Path) -> None:
        model, optimizer = torch.load(path)
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)

    def load_nothing(self, path: Path) -> None:
        raise OSError(5, "gone")


def surroundings() -> dict[str, Any]:
    return {
        "torch": torch.get_rng_state().tolist(),
        "python": random.getstate(),
        "dtype": torch.get_default_dtype(),
        "torch threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "grad": torch.is_grad_enabled(),
        "environment": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "directory": os.getcwd(),
        "filters": list(warnings.filters),
        "threads": [thread.name for thread in threading.enumerate()],
        "modules": torch.nn.modules.module._global_forward_hooks.copy(),
    }


@pytest.fixture
def empty_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.parametrize("load", ["load", "load_nothing"])
def test_no_trace_is_left(load: str, empty_tmp: Path, tmp_path: Path) -> None:
    def make_run() -> TrainingRun:
        program = Messy(tmp_path)
        return TrainingRun.from_object(program, step=program.step, save=program.save, load=getattr(program, load))

    before = surroundings()

    outcomes = check_training_run(make_run, raise_on_failure=False)

    assert bool(outcomes.failures) == (load == "load_nothing")
    assert surroundings() == before
    assert list(empty_tmp.iterdir()) == []


def test_no_trace_is_left_by_a_call_that_makes_no_sense(empty_tmp: Path) -> None:
    def make_run() -> None:
        os.environ["MESSY"] = "1"
        random.seed(3)

    before = surroundings()

    with pytest.raises(UsageError, match="make_run returned None"):
        check_training_run(make_run)

    assert surroundings() == before
    assert list(empty_tmp.iterdir()) == []


def test_no_trace_is_left_by_blame(empty_tmp: Path) -> None:
    before = surroundings()

    outcomes = check_training_run(forgetting("lose_counter", plain_functions), raise_on_failure=False)

    assert outcomes.failures
    assert surroundings() == before
    assert list(empty_tmp.iterdir()) == []


def test_a_run_trains_even_where_gradients_are_off_and_they_stay_off() -> None:
    with torch.no_grad():
        assert not check_training_run(plain_functions, steps=2).failures
        assert not torch.is_grad_enabled()


def losing_its_momentum() -> TrainingRun:
    model = torch.nn.ParameterList([torch.nn.Parameter(torch.ones(2))])
    momentum = {"value": 0.0}

    def step(number: int) -> float:
        momentum["value"] += 1.0
        model[0].data += momentum["value"]
        return float(model[0].sum())

    return TrainingRun(components={"model": model}, step=step)


def test_who_is_to_blame_is_not_looked_for_if_nobody_wants_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: dict[bool, list[str]] = {}
    searched: list[bool] = []
    search: Any = getattr(inquiry, "find_blame")  # noqa: B009
    for explain in (True, False):

        def find_blame(*args: Any, explain: bool = explain) -> Any:
            searched.append(explain)
            return search(*args)

        monkeypatch.setattr(inquiry, "find_blame", find_blame)
        with pytest.raises(CheckpointFailure) as raised:
            check_training_run(losing_its_momentum, steps=3, select=["resume_is_exact"], explain=explain)
        reports[explain] = str(raised.value).splitlines()

    assert searched == [True]
    assert any(line.startswith("To blame:") for line in reports[True])
    assert "The search for the cause stopped: it was not asked for (explain=False)." in reports[False]
    # What was found is the same.
    assert [line for line in reports[True] if "they part" in line] == [
        line for line in reports[False] if "part" in line
    ]
