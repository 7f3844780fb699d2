"""``--ckpt-run``: checks without a test file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_ckpt.checks import select_checks


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
@pytest.mark.parametrize("target", ["train:make_run", "train.py:make_run", "./train.py:make_run"])
def test_run_is_checked_without_a_test_file(
    run_pytest: Callable[..., pytest.RunResult], target: str, mode: str
) -> None:
    result = run_pytest(f"--ckpt-run={target}", "--ckpt-steps=2", f"--import-mode={mode}", "-v")

    names = [check.name for check in select_checks(["default"]) if check.group != "placement"]
    assert set(result.parseoutcomes()) <= {"passed", "skipped"}
    result.stdout.fnmatch_lines([f"*collected {len(names)} items"])
    result.stdout.fnmatch_lines([f"ckpt-run::{target}::{name} *" for name in names])


def test_current_directory_is_importable_as_with_python_m(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    monkeypatch.setattr("sys.path", [entry for entry in sys.path if entry != str(project.path)])
    project.mkpydir("package").joinpath("training.py").write_text("from train import make_run\n")

    result = run_pytest("--ckpt-run=package.training:make_run", "--ckpt-select=state_is_restored")

    result.assert_outcomes(passed=1)


def test_failure_is_the_report_and_nothing_else(run_pytest: Callable[..., pytest.RunResult]) -> None:
    result = run_pytest("--ckpt-run=train:make_forgetful_run", "--ckpt-select=state_is_restored", "--ckpt-steps=2")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ state_is_restored of train:make_forgetful_run _*",
            "The state changed in a round trip through its own save and load, saved after 1 step.",
            "optimizer.state[[]weight[]]: missing",
            "    saved:  dict with 3 keys",
            "    loaded: nothing",
            "optimizer.state[[]bias[]]: missing",
            "    saved:  dict with 3 keys",
            "    loaded: nothing",
            "Save optimizer.state_dict() and give it to optimizer.load_state_dict() in load, after the model is "
            "restored and on its final device.",
            'Or, if this is on purpose: expected_failures={"state_is_restored": "the reason"}.',
            "*checkpoint failures*",
        ],
        consecutive=True,
    )


def test_runs_are_checked_beside_test_files_and_each_other(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    project.makepyfile("def test_other(): pass")

    result = run_pytest(
        "--ckpt-run=train:make_run", "--ckpt-run=train:make_careful_run", "--ckpt-select=state_is_restored"
    )

    result.assert_outcomes(passed=3)


def test_ini_file_can_name_the_runs(project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]) -> None:
    project.makeini("[pytest]\nckpt_run = train:make_run\nckpt_select = state_is_restored\n")

    run_pytest("-v").stdout.fnmatch_lines(["ckpt-run::train:make_run::state_is_restored PASSED*"])


def test_checks_are_selected_with_k_and_listed_without_making_a_run(
    run_pytest: Callable[..., pytest.RunResult], log: Path
) -> None:
    result = run_pytest(
        "--ckpt-run=train:make_run", "--collect-only", "-q", "-k", "saving_changes", "--ckpt-format=torch"
    )

    result.stdout.fnmatch_lines(["ckpt-run::train:make_run::saving_changes_nothing-torch", "", "1/*"], consecutive=True)
    assert not log.exists()


def test_skip_names_the_place_of_the_factory(run_pytest: Callable[..., pytest.RunResult]) -> None:
    result = run_pytest("--ckpt-run=train:make_still_run", "--ckpt-select=state_is_restored", "-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED [[]1[]] train.py:*: vacuous: Before loading, the fresh run already *"])


def test_failed_checks_are_run_again_with_lf(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    options = ("--ckpt-run=train:make_forgetful_run", "--ckpt-select=fidelity", "--ckpt-steps=2")

    first = run_pytest(*options)
    again = run_pytest(*options, "--lf")

    assert first.parseoutcomes()["failed"] == 1
    assert first.parseoutcomes()["passed"] > 1
    assert set(again.parseoutcomes()) == {"failed", "deselected"}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("train:make_rum", "'train' has no attribute 'make_rum'. Did you mean 'make_run'*"),
        ("trian:make_run", "there is no module 'trian'. Did you mean 'train'?"),
        ("json.decoders:load", "there is no module 'json.decoders'. Did you mean 'decoder'*"),
        ("tran.py:make_run", "there is no file '*tran.py'. Did you mean 'train.py'?"),
        ("train", "write MODULE:FACTORY or path/to/file.py:FACTORY."),
        ("train:Trainer.stap", "<class 'train.Trainer'> has no attribute 'stap'. Did you mean 'step'?"),
        ("train:LOG", "it is a str, not a function that makes a fresh run."),
    ],
)
def test_wrong_target_is_a_usage_error_with_a_close_match(
    run_pytest: Callable[..., pytest.RunResult], target: str, message: str
) -> None:
    result = run_pytest(f"--ckpt-run={target}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --ckpt-run={target}: {message}"])


def test_target_that_cannot_be_imported_shows_its_own_error(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    project.makepyfile(broken="import json\nimport no_such_package\n")

    result = run_pytest("--ckpt-run=broken:make_run")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR collecting ckpt-run*", "E   ModuleNotFoundError: No module named 'no_such_pa*"]
    )


def test_wrong_name_of_a_check_is_a_usage_error(run_pytest: Callable[..., pytest.RunResult]) -> None:
    result = run_pytest("--ckpt-run=train:make_run", "--ckpt-select=resumes")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: No check is called 'resumes'. Did you mean 'resume'? *"])
