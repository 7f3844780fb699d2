"""``--ckpt-selftest`` and ``ckpt.selftest``: a test for each fault, beside those of the checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_ckpt import Outcome
from pytest_ckpt.checks import CHECKS, registry
from pytest_ckpt.running import plan_checks
from pytest_ckpt.self_testing import plan_faults

pytestmark = pytest.mark.usefixtures("new_processes")

FAULTS = plan_faults(plan_checks(dict))


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``state_is_restored`` pass whatever it is shown, in runs of pytest inside this one."""
    check, outcome = CHECKS["state_is_restored"], Outcome(check="state_is_restored", status="pass")
    monkeypatch.setitem(registry._CHECKS, check.name, replace(check, run=lambda evidence: outcome))


def write_test(project: pytest.Pytester, decorator: str) -> None:
    project.makepyfile(
        test_it=f"""
        import train
        from pytest_ckpt import parametrize_with_checks

        {decorator}
        def test_checkpoint(check):
            assert check().status == "pass"
        """
    )


def test_without_the_option_there_are_no_faults(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, "@parametrize_with_checks(train.make_run, steps=1, select='state_is_restored')")

    result = run_pytest()

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*self-test*")


def test_each_fault_is_a_test_beside_those_of_the_checks(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, "@parametrize_with_checks(train.make_run, steps=3)")

    result = run_pytest("--ckpt-selftest", "-v", "-rs")

    seen, unsuited = result.parseoutcomes()["passed"], result.parseoutcomes()["skipped"]
    assert set(result.parseoutcomes()) == {"passed", "skipped"}
    assert seen > 20
    assert seen + unsuited > len(FAULTS)
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_checkpoint[[]state_is_restored[]] PASSED*",
            "test_it.py::test_checkpoint[[]selftest:forget_model[]] PASSED*",
            "test_it.py::test_checkpoint[[]selftest:untie[]] SKIPPED*",
            "*= checkpoint self-test =*",
            "test_it.py::test_checkpoint: * faults seen, * do not apply, 0 unseen.",
            "    selftest:forget_model: Seen by state_is_restored and resume_is_exact.",
            "    selftest:untie: Does not apply: No two names of a module are one parameter.",
            "SKIPPED [[]1[]] test_it.py:6: skipped: Does not apply: No two names of a module are one parameter.",
        ]
    )


def test_the_summary_names_no_fault_unless_it_is_asked_to_be_verbose(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, "@parametrize_with_checks(train.make_run, steps=2, select='state_is_restored')")

    result = run_pytest("--ckpt-selftest", "-k", "load_nothing or untie or keep_random")

    result.assert_outcomes(passed=1, skipped=2, deselected=len(FAULTS) - 2)
    result.stdout.fnmatch_lines(
        [
            "*= checkpoint self-test =*",
            "test_it.py::test_checkpoint: 1 fault seen, 0 do not apply, 2 not judged, 0 unseen.",
            "",
            "*= 1 passed, *",
        ],
        consecutive=True,
    )


def test_run_without_a_test_file_gets_a_test_for_each_fault(run_pytest: Callable[..., pytest.RunResult]) -> None:
    result = run_pytest(
        "--ckpt-run=train:make_run", "--ckpt-run=train:make_careful_run", "--ckpt-selftest", "--ckpt-steps=3", "-q"
    )

    assert set(result.parseoutcomes()) == {"passed", "skipped"}
    result.stdout.fnmatch_lines(
        [
            "ckpt-run::train:make_run: * faults seen, * do not apply, 0 unseen.",
            "ckpt-run::train:make_careful_run: * faults seen, * do not apply, 0 unseen.",
        ],
        consecutive=True,
    )


@pytest.mark.usefixtures("blind")
def test_unseen_fault_fails_with_what_it_stands_for_and_what_to_do(run_pytest: Callable[..., pytest.RunResult]) -> None:

    result = run_pytest(
        "--ckpt-run=train:make_run", "--ckpt-selftest", "--ckpt-select=state_is_restored", "-k", "drop_tensor"
    )

    result.assert_outcomes(failed=1, deselected=len(FAULTS))
    summary = (
        "One key does not match after a renaming, and strict=False says nothing. No check fails because of it: "
        "state_is_restored (pass)."
    )
    result.stdout.fnmatch_lines(
        [
            "*_ selftest:drop_tensor of train:make_run _*",
            summary,
            "Train more steps (steps=), save after other steps (at=), give predict=, or name in components= what it "
            "damages.",
            "*= checkpoint self-test =*",
            "ckpt-run::train:make_run: 0 faults seen, 0 do not apply, 1 unseen.",
            f"    selftest:drop_tensor: {summary}",
        ],
        consecutive=True,
    )


def test_faults_are_listed_without_making_a_run(run_pytest: Callable[..., pytest.RunResult], log: Path) -> None:
    result = run_pytest("--ckpt-run=train:make_run", "--ckpt-selftest", "--collect-only", "-q", "-k", "load_nothing")

    result.stdout.fnmatch_lines(["ckpt-run::train:make_run::selftest:load_nothing"])
    assert not log.exists()


def test_what_was_seen_of_the_run_itself_is_shared_with_its_checks(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], log: Path
) -> None:
    write_test(project, "@parametrize_with_checks(train.make_run, steps=2, select='state_is_restored')")

    def runs_made(*ids: str) -> int:
        log.unlink(missing_ok=True)
        run_pytest("--ckpt-selftest", *(f"test_it.py::test_checkpoint[{name}]" for name in ids))
        return log.read_text().count("made")

    alone = runs_made("state_is_restored")
    with_a_fault = runs_made("selftest:load_nothing")
    both = runs_made("state_is_restored", "selftest:load_nothing")

    assert 2 < alone < with_a_fault == both


def test_formats_and_devices_are_no_matter_of_faults(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(
        project,
        "@parametrize_with_checks(lambda device: train.make_run(), steps=2, select='state_is_restored', "
        "formats=['safetensors', 'pickle'], devices=['cpu'])",
    )

    result = run_pytest("--ckpt-selftest", "-k", "load_nothing")

    result.assert_outcomes(passed=1, deselected=len(FAULTS) + 1)


def test_a_selection_that_sees_nothing_is_said_to_prove_nothing(run_pytest: Callable[..., pytest.RunResult]) -> None:
    result = run_pytest("--ckpt-run=train:make_careful_run", "--ckpt-selftest", "--ckpt-select=outputs_are_restored")

    result.stdout.fnmatch_lines(
        [
            "ckpt-run::train:make_careful_run: 0 faults seen, * not judged, 0 unseen.",
            "    No fault was seen, so nothing shows that these checks can fail on this run.",
        ],
        consecutive=True,
    )


def test_workers_share_the_faults(project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]) -> None:
    pytest.importorskip("xdist")
    write_test(project, "@parametrize_with_checks(train.make_run, steps=2, select='state_is_restored')")

    result = run_pytest("--ckpt-selftest", "-n2", "-k", "selftest and (forget or load_nothing)")

    assert set(result.parseoutcomes()) == {"passed", "skipped"}
    result.stdout.fnmatch_lines(
        ["test_it.py::test_checkpoint: 3 faults seen, 1 does not apply, 2 not judged, 0 unseen."]
    )


def test_fixture_tests_itself_with_the_settings_of_the_test(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    project.makepyfile(
        """
        import pytest, train

        @pytest.mark.ckpt(steps=3, formats="safetensors", select="state_is_restored")
        def test_it(ckpt):
            result = ckpt.selftest(train.make_run, faults=["load_nothing", "keep_random_state"])
            assert [item.status for item in result] == ["not judged", "seen"]
        """
    )

    result = run_pytest()

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*::test_it: 1 fault seen, 0 do not apply, 1 not judged, 0 unseen."])


@pytest.mark.usefixtures("blind")
def test_fixture_raises_the_report(project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]) -> None:
    project.makepyfile(
        """
        import train

        def test_it(ckpt):
            ckpt.selftest(train.make_run, faults="drop_tensor", select="state_is_restored")
        """
    )

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       ckpt.selftest(train.make_run, faults=*",
            "E       pytest_ckpt.errors.CheckpointFailure: Checkpoint self-test of make_run: 0 faults*, 1 unseen.",
            "E       UNSEEN drop_tensor",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_ckpt/*")


def test_an_option_of_the_fixture_is_no_option_of_a_self_test(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    project.makepyfile("import train\ndef test_it(ckpt): ckpt.selftest(train.make_run, fault='untie')")

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E   TypeError: selftest() got an unexpected keyword argument 'fault'"])
