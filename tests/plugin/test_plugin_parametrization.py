"""``parametrize_with_checks``: which tests there are, and what each outcome becomes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_ckpt.checks import select_checks

FORGOTTEN = [
    "E       pytest_ckpt.errors.CheckpointFailure: The state changed in a round trip through its own save and load, "
    "saved after 1 step.",
    "E       optimizer.state[[]weight[]]: missing",
    "E           saved:  dict with 3 keys",
    "E           loaded: nothing",
    "E       optimizer.state[[]bias[]]: missing",
    "E           saved:  dict with 3 keys",
    "E           loaded: nothing",
    "E       Save optimizer.state_dict() and give it to optimizer.load_state_dict() in load, after the model is "
    "restored and on its final device.",
    'E       Or, if this is on purpose: expected_failures={"state_is_restored": "the reason"}.',
]


def write_test(project: pytest.Pytester, decorators: str, **files: str) -> None:
    project.makepyfile(
        test_it=f"""
        import pytest
        import train
        from pytest_ckpt import parametrize_with_checks

        {decorators}
        def test_checkpoint(check):
            check()
        """,
        **files,
    )


def test_every_default_check_is_a_test_and_a_good_run_passes(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, "@parametrize_with_checks(train.make_run, steps=2)")

    result = run_pytest("-v")

    default = [check.name for check in select_checks(["default"]) if check.group != "placement"]
    assert len(default) > 4
    assert set(result.parseoutcomes()) <= {"passed", "skipped"}
    result.stdout.fnmatch_lines([f"test_it.py::test_checkpoint[[]{name}[]] *" for name in default])


def test_failure_is_the_report_and_shows_no_line_of_this_package(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, '@parametrize_with_checks(train.make_forgetful_run, steps=2, select="state_is_restored")')

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">       check()", *FORGOTTEN], consecutive=True)
    result.stdout.no_fnmatch_line("*pytest_ckpt/*")


def test_outcome_that_decides_nothing_is_a_skip_at_the_place_of_the_test(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(
        project, '@parametrize_with_checks(train.make_still_run, select=["state_is_restored", "resume_is_exact"])'
    )

    result = run_pytest("-rs")

    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(
        [
            "SKIPPED [[]1[]] test_it.py:7: vacuous: Before loading, the fresh run already equalled the saved one, *",
            "SKIPPED [[]1[]] test_it.py:7: skipped: The run has no step=, so it cannot train on.",
        ]
    )


def test_training_that_does_not_repeat_is_a_skip(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, '@parametrize_with_checks(train.make_noisy_run, steps=2, select="resume_is_exact")')

    result = run_pytest("-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["SKIPPED * undecidable: Training is not deterministic: two runs that never stopped differ already."]
    )


def test_expected_failure_is_an_xfail_with_its_reason(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(
        project,
        "@parametrize_with_checks(train.make_forgetful_run, steps=2, select='state_is_restored', "
        "expected_failures={'state_is_restored': 'weights only, on purpose'})",
    )

    result = run_pytest("-rx")

    result.assert_outcomes(xfailed=1)
    result.stdout.fnmatch_lines(["XFAIL test_it.py::test_checkpoint[[]state_is_restored[]] - weights only, on purpose"])


def test_unexpected_pass_fails(project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]) -> None:
    write_test(
        project,
        "@parametrize_with_checks(train.make_run, steps=2, select='state_is_restored', "
        "expected_failures={'state_is_restored': 'not done yet'})",
    )

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E       pytest_ckpt.errors.CheckpointFailure: It passes, though it was expected to fail: not done yet. "
            "Remove it from expected_failures."
        ]
    )


def test_run_is_not_made_during_collection(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], log: Path
) -> None:
    write_test(project, "@parametrize_with_checks(train.make_run, select='*_is_restored')")

    result = run_pytest("--collect-only", "-q")

    result.stdout.fnmatch_lines(["test_it.py::test_checkpoint[[]state_is_restored[]]"])
    assert not log.exists()


def test_evidence_is_shared_by_the_checks_of_a_run(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], log: Path
) -> None:
    write_test(
        project,
        "@parametrize_with_checks(train.make_run, steps=2, select=['state_is_restored', 'traits_are_restored'])",
    )

    run_pytest("-k", "state_is").assert_outcomes(passed=1, deselected=1)
    alone = log.read_text()
    log.unlink()
    run_pytest().assert_outcomes(passed=2)

    assert log.read_text() == alone


def test_evidence_is_forgotten_after_the_last_check(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(
        project,
        "@parametrize_with_checks(train.make_run, steps=2, select='state_is_restored')",
        test_second="""
        from conftest import evidence

        def test_nothing_is_left():
            assert evidence() == []
        """,
        conftest="""
        import gc
        import pytest
        from pytest_ckpt.checks import Evidence

        def evidence():
            gc.collect()
            return [item for item in gc.get_objects() if type(item) is Evidence and item not in OTHERS]

        OTHERS = []
        OTHERS = evidence()  # of the tests around this one

        @pytest.hookimpl(wrapper=True)
        def pytest_pyfunc_call(pyfuncitem):
            result = yield
            assert len(evidence()) == ("check" in pyfuncitem.funcargs)
            return result
        """,
    )

    result = run_pytest("test_it.py", "test_second.py")

    result.assert_outcomes(passed=2)


def test_formats_and_devices_are_tests_of_their_own(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(
        project,
        "@parametrize_with_checks(lambda device: train.make_run(), steps=1, select='state_is_restored', "
        "formats=['torch', 'pickle'], devices=['cpu'])",
    )

    result = run_pytest("-v")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_checkpoint[[]state_is_restored-torch-cpu[]] PASSED*",
            "test_it.py::test_checkpoint[[]state_is_restored-pickle-cpu[]] PASSED*",
        ]
    )


def test_format_that_cannot_keep_the_run_skips_with_the_reason(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    project.makepyfile(
        other="""
        import torch, train

        def make_run():
            run = train.make_run()
            return {"model": train.Trainer().model, "extra": torch.ones(2).to_sparse()}
        """
    )
    write_test(
        project, "@parametrize_with_checks(__import__('other').make_run, select='state*', formats='safetensors')"
    )

    result = run_pytest("-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED * skipped: *sparse*extra*"])


@pytest.mark.parametrize(
    ("decorator", "lines"),
    [
        (
            "@parametrize_with_checks(train.make_run, steps=0)",
            ["*test_checkpoint: steps=0; it is the number of training steps, at least 1."],
        ),
        (
            "@parametrize_with_checks(train.make_run, formats='torsh')",
            ["*test_checkpoint: There is no checkpoint format 'torsh'. Did you mean 'torch'? *"],
        ),
        (
            "@parametrize_with_checks(train.make_run, select='state_is_restord')",
            ["*test_checkpoint: No check is called 'state_is_restord'. Did you mean 'state_is_restored'? *"],
        ),
        (
            "@parametrize_with_checks(train.make_run)\n        @parametrize_with_checks(train.make_run)",
            ["*test_checkpoint: parametrize_with_checks was applied twice; write one test function for each run."],
        ),
    ],
    ids=["steps", "format", "check", "twice"],
)
def test_options_that_make_no_sense_are_told_when_collecting(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], decorator: str, lines: list[str]
) -> None:
    write_test(project, decorator)

    result = run_pytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR collecting test_it.py*", *lines], consecutive=True)


@pytest.mark.parametrize("given", ["train.Trainer().model", "train.make_run()"], ids=["module", "run"])
def test_object_instead_of_a_factory_is_told_in_the_test(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], given: str
) -> None:
    write_test(project, f"@parametrize_with_checks({given}, select='state_is_restored')")

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       check()",
            "E       pytest_ckpt.errors.UsageError: make_run is a *; a check takes a factory, not an object: a "
            "function without arguments that makes a fresh run at each call.",
        ],
        consecutive=True,
    )


def test_error_in_make_run_shows_its_own_line(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    project.makepyfile(other="def make_run():\n    raise RuntimeError('no data')\n")
    write_test(project, "@parametrize_with_checks(__import__('other').make_run, select='state_is_restored')")

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">       check()", "*other.py:2: RuntimeError"])
    result.stdout.no_fnmatch_line("*pytest_ckpt/*")


def test_class_and_stacked_parameters(project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]) -> None:
    project.makepyfile(
        """
        import pytest
        import train
        from pytest_ckpt import parametrize_with_checks

        @parametrize_with_checks(train.make_run, steps=1, select="state_is_restored")
        class TestAll:
            @pytest.mark.parametrize("number", [1, 2])
            def test_it(self, check, number):
                assert check().status == "pass"
        """
    )

    result = run_pytest()

    result.assert_outcomes(passed=2)


def test_test_without_the_parameter_is_told_so(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    project.makepyfile(
        """
        import train
        from pytest_ckpt import parametrize_with_checks

        @parametrize_with_checks(train.make_run)
        def test_it():
            pass
        """
    )

    result = run_pytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["In *::test_it: function uses no argument 'check'"])
