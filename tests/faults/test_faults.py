"""Faults fit any run: they say where they apply, get into it however it saves, and leave nothing behind."""

from __future__ import annotations

import inspect
import random
import re
import threading
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import zoo_bad
from zoo import GOOD_RUNS
from zoo_parts import fit, mlp

from pytest_ckpt import TrainingRun, UsageError, check_training_run
from pytest_ckpt.checks import CHECKS
from pytest_ckpt.faults import FAULTS
from pytest_ckpt.runs import build

REASONS = {
    "forget_model": ("training_that_changes_nothing", "No module is in another state than a fresh run's."),
    "forget_optimizer": ("sgd_without_state", "No optimizer has state that the training depends on."),
    "skip_scheduler": ("sgd_without_state", "No component is a learning-rate scheduler."),
    "forget_component": (
        "plain_functions",
        "No component beside modules, optimizers and schedulers has state of its own.",
    ),
    "drop_tensor": ("training_that_changes_nothing", "No tensor of a module differs from a fresh run's."),
    "forget_gradients": ("plain_functions", "Training does not depend on gradients of the step before."),
    "swap_two_tensors": ("plain_functions", "No two tensors of a module have one shape and different values."),
    "cast_to_half": ("training_that_changes_nothing", "No tensor of a module loses precision in bfloat16."),
    "zero_optimizer_state": ("sgd_without_state", "No optimizer keeps tensors that the training depends on."),
    "reorder_optimizer_state": (
        "plain_functions",
        "No optimizer keeps different state for two parameters of one shape.",
    ),
    "miscount_optimizer_steps": ("averaged_weights", "No optimizer counts its steps by parameter."),
    "lose_requires_grad": ("freezing_at_each_step", "Training sets requires_grad itself, or there is no parameter."),
    "untie": ("plain_functions", "No two names of a module are one parameter."),
    "replace_parameters": ("bare_module", "No optimizer trains the parameters of a module."),
    "keep_random_state": ("seeding_at_each_step", "Training does not depend on the global random state."),
    "eval_mode_after_load": (
        "seeding_at_each_step",
        "Training does not depend on the mode that modules are in between two steps.",
    ),
    "save_draws_random_numbers": ("seeding_at_each_step", "Training does not depend on the global random state."),
    "save_leaves_eval_mode": (
        "seeding_at_each_step",
        "Training does not depend on the mode that modules are in between two steps.",
    ),
    "save_changes_weights": ("bare_module", "The run has no step=."),
    "save_clears_gradients": ("plain_functions", "Training does not depend on gradients of the step before."),
    "save_in_a_thread": ("bare_module", "Training changes no tensor."),
    "second_save_forgets": ("training_that_changes_nothing", "The run is in no other state than a fresh one."),
    "resumed_run_saves_what_it_loaded": ("bare_module", "Training changes no tensor between two saves."),
    "later_saves_repeat_the_first": ("bare_module", "Training changes no tensor between two saves."),
    "save_beside_the_first": ("bare_module", "Training changes no tensor between two saves."),
    "load_nothing": ("training_that_changes_nothing", "The run is in no other state than a fresh one."),
    "load_aliases_the_checkpoint": ("bare_module", "Training changes no tensor of a module in place."),
    "load_keeps_trained_state": ("bare_module", "Training changes no tensor."),
    "lose_counter": ("bare_module", "The run has no step=, or trains no parameter of a module."),
    "keep_weights_by_reference": ("bare_module", "The run has no step=, or trains no parameter of a module."),
    "off_by_one_step": ("stream", "step(i) does not depend on i."),
    "load_asks_the_process": ("training_that_changes_nothing", "The run is in no other state than a fresh one."),
    "counter_stays_in_the_process": ("bare_module", "The run has no step=, or trains no parameter of a module."),
    "save_what_each_step_computes": ("bare_module", "The run has no step=."),
    "prediction_depends_on_hidden_state": ("sgd_without_state", "The run has no predict=, or no step=."),
    "fill_in_what_is_missing": (
        "training_that_changes_nothing",
        "The checkpoint holds nothing in plain containers that a fresh run has not.",
    ),
    "count_the_keys_only": (
        "training_that_changes_nothing",
        "The checkpoint holds nothing by name that a fresh run has not.",
    ),
    "skip_what_does_not_fit": (
        "whole_pickle",
        "The checkpoint holds no tensor in plain containers that a fresh run has not.",
    ),
    "cast_in_silence": ("whole_pickle", "No tensor of the checkpoint loses precision in a narrower dtype."),
    "stop_with_the_shorter": ("bare_module", "The checkpoint holds no state dict of an optimizer."),
    "go_by_position": (
        "sgd_without_state",
        "The checkpoint holds no two parameters of one shape with different optimizer state.",
    ),
}


def training_that_changes_nothing() -> TrainingRun:
    """Zeros, so that no fresh run differs and no cast rounds."""
    model = torch.nn.Linear(2, 2)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    return TrainingRun(components={"model": model}, step=lambda i: 0.0)


def seeding_at_each_step() -> TrainingRun:
    """Dropout, but under the seed of the step and in the mode that the step sets."""
    model = mlp(torch.nn.Dropout(0.5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(i: int) -> float:
        torch.manual_seed(i)
        model.train()
        return fit(model, optimizer, torch.randn(8, 4))

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)


def freezing_at_each_step() -> TrainingRun:
    model = torch.nn.Linear(4, 2, bias=False)

    def step(i: int) -> float:
        model.weight.requires_grad_(i % 2 == 0)
        return float(model.weight.detach().sum())

    return TrainingRun(components={"model": model}, step=step)


RUNS = {
    **GOOD_RUNS,
    **{run.__name__: run for run in (training_that_changes_nothing, seeding_at_each_step, freezing_at_each_step)},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_fault_has_a_name_a_sentence_and_checks_that_see_it(fault: object) -> None:
    name, summary, seen_by = fault.name, fault.summary, fault.seen_by  # type: ignore[attr-defined]

    assert FAULTS[name] is fault
    assert re.fullmatch(r"[^\n]{20,120}\.", summary)
    assert seen_by
    assert set(seen_by) <= CHECKS.keys()


@pytest.mark.parametrize("fault", REASONS)
def test_a_fault_that_would_change_nothing_says_why(fault: str) -> None:
    run, reason = REASONS[fault]

    assert FAULTS[fault].applies(RUNS[run], 6, range(6)) == reason


@pytest.mark.parametrize("fault", ["forget_gradients", "save_clears_gradients"])
def test_a_fault_that_does_no_harm_where_the_run_is_saved_does_not_apply(fault: str) -> None:
    """The weights have just moved after 3 steps, and no gradient is left."""
    run = GOOD_RUNS["accumulated_gradients"]

    assert FAULTS[fault].applies(run, 6, [2, 3]) is None
    assert FAULTS[fault].applies(run, 6, [3]) == "Training does not depend on gradients of the step before."


def test_what_only_trained_runs_show_needs_a_step_before_the_save() -> None:
    for fault in ("lose_counter", "counter_stays_in_the_process", "prediction_depends_on_hidden_state"):
        assert FAULTS[fault].applies(GOOD_RUNS["plain_functions"], 6, [1]) is None
        assert FAULTS[fault].applies(GOOD_RUNS["plain_functions"], 6, [0]) is not None


def test_a_fault_gets_into_a_run_that_has_its_own_save_and_load(tmp_path: Path) -> None:
    broken = build(FAULTS["load_nothing"].inject(GOOD_RUNS["trainer_with_its_own_files"]), 0)
    other = build(FAULTS["load_nothing"].inject(GOOD_RUNS["trainer_with_its_own_files"]), 1)

    broken.save(tmp_path / "checkpoint")
    other.load(tmp_path / "checkpoint")

    assert set(torch.load(tmp_path / "checkpoint")) == {"model", "optimizer", "scheduler", "random"}
    assert not torch.equal(broken.components["model"][0].weight, other.components["model"][0].weight)


@pytest.mark.parametrize("run", ["plain_functions", "bare_module", "trainer_object", "mapping_of_parts"])
def test_a_run_without_its_own_save_gets_one(run: str) -> None:
    definition = build(FAULTS["load_nothing"].inject(GOOD_RUNS[run]), 0).definition

    assert definition.save is not None
    assert definition.name in (run, "Sequential", "Trainer")


def test_a_broken_run_has_the_parameters_of_the_good_one() -> None:
    def make_run(device: str = "cpu") -> TrainingRun:
        return TrainingRun(components={"model": torch.nn.Linear(2, 2, device=device)})

    broken = FAULTS["load_nothing"].inject(make_run)

    assert list(inspect.signature(broken).parameters) == ["device"]
    assert build(partial(cast(Any, broken), device="meta"), 0).components["model"].weight.device.type == "meta"


def test_only_a_function_can_be_broken() -> None:
    with pytest.raises(UsageError, match="make_run is a Linear; a check takes a factory, not an object"):
        FAULTS["load_nothing"].inject(torch.nn.Linear(2, 2))


def test_what_runs_share_through_globals_is_still_put_back_for_each_of_them() -> None:
    """Otherwise a run with a generator of its module would not repeat itself, and nothing could be said of it."""
    broken = FAULTS["lose_counter"].inject(GOOD_RUNS["generator_of_the_module"])

    outcomes = check_training_run(broken, select=["resume_is_exact"], raise_on_failure=False)

    assert outcomes["resume_is_exact"].status == "fail"


@pytest.mark.parametrize("fault", FAULTS)
def test_finding_out_whether_a_fault_applies_leaves_no_trace(fault: str) -> None:
    before = torch.get_rng_state(), random.getstate(), threading.active_count(), torch.get_num_threads()

    FAULTS[fault].applies(GOOD_RUNS["plain_functions"], 3, range(3))

    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), threading.active_count(), torch.get_num_threads())


def test_a_run_whose_training_breaks_under_the_damage_is_no_place_for_it() -> None:
    """A lone parameter that is frozen has no gradient, and backward raises."""

    def make_run() -> TrainingRun:
        model = torch.nn.Linear(4, 1, bias=False)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def step(i: int) -> float:
            optimizer.zero_grad()
            loss = model(torch.ones(1, 4)).sum()
            loss.backward()
            optimizer.step()
            return float(loss)

        return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)

    reason = "Training sets requires_grad itself, or there is no parameter."
    assert FAULTS["lose_requires_grad"].applies(make_run, 6, range(6)) == reason


def test_faults_apply_to_bad_runs_too() -> None:
    """They only look at training; a load that raises is not called."""
    assert FAULTS["load_nothing"].applies(zoo_bad.load_raises, 6, range(6)) is None
