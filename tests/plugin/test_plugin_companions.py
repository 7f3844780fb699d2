"""Reports, workers, other plugins, and what is left when a part of this one is switched off."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import pytest

import pytest_ckpt.plugin

PARTS = [*pytest_ckpt.plugin._MODULES, "zero_code", "sharing"]
MIXED = """
    import train
    from pytest_ckpt import check_training_run, parametrize_with_checks

    @parametrize_with_checks(train.make_forgetful_run, steps=2, select="*_restored")
    def test_checks(check):
        check()

    def test_trip(ckpt):
        ckpt.round_trip(train.make_run, format="torch")

    def test_plain():
        check_training_run(train.make_forgetful_run, steps=2, select=["state_is_restored", "resume_is_exact"])
"""
SUMMARY = [
    "*checkpoint failures*",
    "test_mixed.py::test_checks[[]state_is_restored[]]",
    "    state_is_restored [[]own[]]: The state changed in a round trip through its own save and load, saved after 1 "
    "step.",
    "test_mixed.py::test_plain",
    "    state_is_restored [[]own[]]: The state changed in a round trip through its own save and load, saved after 1 "
    "step.",
    "    resume_is_exact [[]own[]]: The resumed run is not the run that never stopped: saved after 0 steps, they part "
    "at step(0).",
    "* checks: * pass, 3 fail, * skipped.",
]


@pytest.fixture
def mixed(project: pytest.Pytester) -> None:
    project.makepyfile(test_mixed=MIXED)


@pytest.mark.usefixtures("mixed")
def test_summary_names_the_tests_what_they_found_and_the_totals(run_pytest: Callable[..., pytest.RunResult]) -> None:
    run_pytest().stdout.fnmatch_lines(SUMMARY, consecutive=True)


def test_there_is_no_summary_without_a_failure(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    project.makepyfile("import train\ndef test_it(ckpt): ckpt.round_trip(train.make_run)\ndef test_not(): assert 0")

    run_pytest().stdout.no_fnmatch_line("*checkpoint failures*")


@pytest.mark.usefixtures("mixed")
def test_junit_has_the_outcomes_as_properties(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    run_pytest("--junitxml=junit.xml", "-k", "state_is_restored")

    case = ElementTree.parse(project.path / "junit.xml").find(".//testcase")
    assert case is not None
    assert {item.get("name"): item.get("value") for item in case.iter("property")} == {
        "ckpt_check": "state_is_restored [own]",
        "ckpt_status": "fail",
        "ckpt_causes": "optimizer",
        "ckpt_summary": "The state changed in a round trip through its own save and load, saved after 1 step.",
    }


def test_what_a_passed_check_has_to_say_is_shown_with_rP(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    project.makepyfile(
        """
        import train

        def test_it(ckpt):
            ckpt.check(train.make_run, steps=2, select="state_is_restored", ignore="rng.*")
        """
    )

    result = run_pytest("-rP")

    result.stdout.fnmatch_lines(["*- checkpoint -*", "note: Carried over instead of loaded: rng.*."], consecutive=True)


@pytest.mark.usefixtures("mixed")
def test_workers_of_xdist_find_the_same_and_tell_the_controller(run_pytest: Callable[..., pytest.RunResult]) -> None:
    result = run_pytest("-n2", "--ckpt-run=train:make_run", "--ckpt-select=state_is_restored")

    counts = result.parseoutcomes()
    assert (counts["failed"], counts["passed"]) == (2, 3)
    result.stdout.fnmatch_lines(["*checkpoint failures*", "* checks: * pass, 3 fail, * skipped."])


def test_wrong_target_is_told_by_the_workers_of_xdist(run_pytest: Callable[..., pytest.RunResult]) -> None:
    result = run_pytest("-n1", "--ckpt-run=train:make_rum")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["--ckpt-run=train:make_rum: 'train' has no attribute 'make_rum'. Did you mean *"])


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_order_of_the_tests_does_not_matter(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], seed: str
) -> None:
    project.makeconftest(
        f"""
        import random

        def pytest_collection_modifyitems(items):
            random.Random({seed}).shuffle(items)
        """
    )

    counts = run_pytest().parseoutcomes()

    assert (counts["failed"], counts["passed"]) == (2, 2)


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize("part", ["options", "sharing", "recording", "terminal", "zero_code"])
def test_part_that_is_switched_off_takes_nothing_else_along(
    run_pytest: Callable[..., pytest.RunResult], part: str
) -> None:
    result = run_pytest("-p", f"no:pytest_ckpt.plugin.{part}")

    counts = result.parseoutcomes()
    assert (counts["failed"], counts["passed"]) == (2, 2)
    lines = [line for line in result.outlines if "checkpoint failures" in line]
    assert bool(lines) == (part not in ("recording", "terminal"))


def test_every_part_can_be_switched_off(run_pytest: Callable[..., pytest.RunResult]) -> None:
    options = [word for part in PARTS for word in ("-p", f"no:pytest_ckpt.plugin.{part}")]

    result = run_pytest(*options, "--fixtures")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("ckpt*")


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_every_import_mode_will_do(run_pytest: Callable[..., pytest.RunResult], mode: str) -> None:
    counts = run_pytest(f"--import-mode={mode}").parseoutcomes()

    assert (counts["failed"], counts["passed"]) == (2, 2)
