"""Every check against every good run, and against every fault in a run that fits it."""

from __future__ import annotations

import re

import pytest
from zoo import GOOD_RUNS, QUIET

from pytest_ckpt import check_training_run
from pytest_ckpt.checks import CHECKS, DEFAULT_GROUPS, Check
from pytest_ckpt.faults import FAULTS
from pytest_ckpt.faults.leniency import LENIENCY
from pytest_ckpt.runs import takes_device

STATE, TRAITS, OUTPUTS = "state_is_restored", "traits_are_restored", "outputs_are_restored"
SECOND, RESUME, AGAIN = "second_generation_equals_first", "resume_is_exact", "second_resume_is_exact"
SAVING, TWICE = "saving_changes_nothing", "loading_twice_gives_the_same"
ALONE, OVER = "checkpoints_are_independent", "loading_overwrites_everything"
KEPT = "kept_weights_are_copies"
LOADED, RESUMED = "loads_in_a_fresh_process", "resume_in_a_fresh_process"
NEEDED, REPLACED = "every_component_is_needed", "saving_again_replaces_the_checkpoint"
THERE, TO_CPU = "placement_cuda_to_cuda", "placement_cuda_to_cpu"
TO_CUDA, TO_FEWER = "placement_cpu_to_cuda", "placement_to_fewer_devices"
DROPPED, RENAMED, RESHAPED = "dropped_state_is_noticed", "renamed_state_is_noticed", "reshaped_state_is_noticed"
CAST, FOREIGN, NAMES = "cast_state_is_noticed", "foreign_optimizer_is_refused", "optimizer_state_follows_names"

# What fails because of each fault, and in which run; every other check passes there, or has nothing to judge.
MATRIX: dict[str, tuple[str, set[str]]] = {
    "forget_model": ("plain_functions", {STATE, OUTPUTS, RESUME}),
    "forget_optimizer": ("plain_functions", {STATE, RESUME}),
    "skip_scheduler": ("trainer_with_its_own_files", {STATE, RESUME}),
    "forget_component": ("grad_scaler", {STATE, RESUME}),
    "drop_tensor": ("plain_functions", {STATE, OUTPUTS, SECOND, RESUME}),
    "forget_gradients": ("accumulated_gradients", {RESUME}),
    "swap_two_tensors": ("averaged_weights", {STATE, OUTPUTS, RESUME}),
    "cast_to_half": ("trainer_with_its_own_files", {STATE, OUTPUTS, RESUME}),
    "zero_optimizer_state": ("averaged_weights", {STATE, RESUME}),
    "reorder_optimizer_state": ("carried_hidden_state", {STATE, RESUME}),
    "miscount_optimizer_steps": ("whole_pickle", {STATE, RESUME}),
    "lose_requires_grad": ("gan", {TRAITS, RESUME}),
    "untie": ("tied_weights", {TRAITS, RESUME}),
    "replace_parameters": ("plain_functions", {STATE, TRAITS, RESUME}),
    "keep_random_state": ("plain_functions", {RESUME}),
    "eval_mode_after_load": ("trainer_with_its_own_files", {RESUME}),
    "save_draws_random_numbers": ("gan", {SAVING}),
    "save_leaves_eval_mode": ("plain_functions", {SAVING}),
    "save_changes_weights": ("path_as_a_string", {SAVING, SECOND}),
    "save_clears_gradients": ("accumulated_gradients", {SAVING}),
    "save_in_a_thread": ("directory_with_a_sidecar", {STATE, RESUME}),
    "second_save_forgets": ("load_replaces_the_parts", {SECOND, AGAIN}),
    "resumed_run_saves_what_it_loaded": ("replay_buffer", {AGAIN}),
    "later_saves_repeat_the_first": ("trainer_with_its_own_files", {ALONE, REPLACED}),
    "save_beside_the_first": ("plain_functions", {REPLACED}),
    "load_nothing": ("extra_state", {STATE, OUTPUTS, RESUME}),
    "second_load_raises": ("unfrozen_on_the_way", {TWICE}),
    "load_aliases_the_checkpoint": ("plateau", {TWICE}),
    "load_keeps_trained_state": ("plain_functions", {OVER}),
    "lose_counter": ("lbfgs", {RESUME}),
    "keep_weights_by_reference": ("plain_functions", {KEPT}),
    "off_by_one_step": ("nested_results", {RESUME}),
    "prediction_depends_on_hidden_state": ("averaged_weights", {OUTPUTS}),
    "load_asks_the_process": ("plain_functions", {LOADED}),
    "counter_stays_in_the_process": ("trainer_with_its_own_files", {RESUMED}),
    "optimizer_state_stays_on_the_cpu": ("made_on_a_device", {THERE, TO_CUDA, TO_FEWER}),
    "keep_random_state_of_devices": ("made_on_a_device", {THERE}),
    "load_wants_the_saved_device": ("made_on_a_device", {TO_CPU, TO_FEWER}),
    "save_what_each_step_computes": ("plain_functions", {NEEDED}),
    "fill_in_what_is_missing": ("strict_about_its_files", {DROPPED, RENAMED}),
    "count_the_keys_only": ("strict_about_its_files", {RENAMED}),
    "skip_what_does_not_fit": ("strict_about_its_files", {RESHAPED}),
    "cast_in_silence": ("strict_about_its_files", {CAST}),
    "stop_with_the_shorter": ("strict_about_its_files", {FOREIGN}),
    "go_by_position": ("strict_about_its_files", {NAMES}),
}


@pytest.mark.usefixtures("new_processes")
@pytest.mark.parametrize("name", GOOD_RUNS)
def test_a_good_run_passes_every_check_that_has_something_to_judge(name: str) -> None:
    outcomes = check_training_run(GOOD_RUNS[name])

    groups = set(DEFAULT_GROUPS) - (set() if takes_device(GOOD_RUNS[name]) else {"placement"})
    expected = {check: "pass" for check, item in CHECKS.items() if item.group in groups}
    assert {outcome.check: outcome.status for outcome in outcomes} == expected | QUIET.get(name, {})


def test_a_run_that_is_strict_about_its_files_passes_every_check_of_strictness() -> None:
    outcomes = check_training_run(GOOD_RUNS["strict_about_its_files"], select=["strictness"])

    assert {outcome.check: outcome.status for outcome in outcomes} == dict.fromkeys(
        (check for check, item in CHECKS.items() if item.group == "strictness"), "pass"
    )


@pytest.mark.usefixtures("new_processes")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen_by_its_checks_and_by_no_others(fault: str) -> None:
    """What load makes of checkpoints that are not whole is a promise: all of it is asked where a fault is about it."""
    run, failing = MATRIX[fault]
    promised = ["strictness"] if FAULTS[fault] in LENIENCY else []
    select = ("default", *FAULTS[fault].seen_by, *promised)

    outcomes = check_training_run(FAULTS[fault].inject(GOOD_RUNS[run]), select=select, raise_on_failure=False)

    assert {outcome.check for outcome in outcomes if outcome.status == "fail"} == failing
    assert {outcome.status for outcome in outcomes if outcome.check not in failing} <= {"pass", "skipped"}
    assert set(FAULTS[fault].seen_by) <= failing


def test_every_check_has_a_fault_that_it_must_see() -> None:
    seen = {check for fault in FAULTS.values() for check in fault.seen_by}

    assert seen == set(CHECKS)


def test_each_check_can_be_told_from_the_others() -> None:
    """No check is another one under a second name: for each pair some fault is seen by the first alone."""
    verdicts = {check: {fault for fault, (_, failing) in MATRIX.items() if check in failing} for check in CHECKS}

    assert len({frozenset(faults) for faults in verdicts.values()}) == len(CHECKS)


@pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))
def test_a_check_says_what_holds_in_one_sentence_then_why_it_matters_and_what_to_do(check: Check) -> None:
    assert re.fullmatch(r"[A-Z][^\n]+\.", check.summary)
    for text in (check.why, check.remedy):
        assert re.fullmatch(r"[A-Z][^\n]+\.", text)
        assert "  " not in text
        assert "What to do" not in text
