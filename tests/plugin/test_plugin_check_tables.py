"""``[tool.pytest-ckpt.checks.NAME]`` in pyproject.toml: what it changes, what wins over it, what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from pytest_ckpt.checks import CHECKS, Check, select_checks

Run: TypeAlias = Callable[..., pytest.RunResult]

RESUME, STATE = "resume_is_exact", "state_is_restored"
TABLE = f"tool.pytest-ckpt.checks.{RESUME}"
KEYS = "enabled, steps, at, ignore, formats, expected_failure"
SETTINGS = Path(__file__).parents[2] / "docs" / "settings.md"


def _checks(word: str) -> list[Check]:
    """Return the checks that a word selects for a run that is made on no device but its own."""
    return [check for check in select_checks([word]) if check.group != "placement"]


@pytest.fixture
def settle(project: pytest.Pytester) -> Callable[..., None]:
    """Write settings of one check, beside options of pytest."""

    def settle(*lines: str, ini: str = "", check: str = RESUME) -> None:
        table = "\n".join(lines)
        text = f"[tool.pytest.ini_options]\n{ini}\n[tool.pytest-ckpt.checks.{check}]\n{table}\n"
        project.path.joinpath("pyproject.toml").write_text(text, encoding="utf-8")

    return settle


@pytest.fixture
def ask(project: pytest.Pytester, run_pytest: Run) -> Callable[..., list[str]]:
    """Return the ids of the checks of a test, as options and a marker ask for them."""

    def ask(*options: str, marker: str = "", call: str = "") -> list[str]:
        source = f"""
            import pytest, train
            from pytest_ckpt import parametrize_with_checks

            {marker}
            @parametrize_with_checks(train.make_run, {call})
            def test_it(check): check()
            """
        project.makepyfile(test_it=source)
        result = run_pytest("--collect-only", "-q", *options)
        return [line.partition("[")[2][:-1] for line in result.outlines if "::test_it[" in line]

    return ask


def test_call_over_marker_over_command_line_over_table_over_ini_file(
    settle: Callable[..., None], ask: Callable[..., list[str]]
) -> None:
    settle("formats = 'dill'", ini=f"ckpt_formats = 'pickle'\nckpt_select = '{STATE} {RESUME}'")
    line, marker, call = "--ckpt-format=torch", "@pytest.mark.ckpt(formats='torch-mmap')", "formats='torch-legacy'"

    assert ask() == [f"{STATE}-pickle", f"{RESUME}-dill"]
    assert ask(line) == [f"{STATE}-torch", f"{RESUME}-torch"]
    assert ask(line, marker=marker) == [f"{STATE}-torch-mmap", f"{RESUME}-torch-mmap"]
    assert ask(line, marker=marker, call=call) == [f"{STATE}-torch-legacy", f"{RESUME}-torch-legacy"]
    assert ask(marker=marker) == [f"{STATE}-torch-mmap", f"{RESUME}-torch-mmap"]
    assert ask("--ckpt-steps=3") == [f"{STATE}-pickle", f"{RESUME}-dill"]


def test_check_that_is_not_enabled_runs_by_name_only(
    settle: Callable[..., None], ask: Callable[..., list[str]]
) -> None:
    settle("enabled = false")

    assert ask() == [check.name for check in _checks("default") if check.name != RESUME]
    assert ask("--ckpt-select=*_is_exact") == ["second_resume_is_exact"]
    assert ask("--ckpt-select=resume") == ["second_resume_is_exact"]
    assert ask(f"--ckpt-select={RESUME}") == [RESUME]
    assert ask(call=f"select=['{RESUME}', 'resume']") == [RESUME, "second_resume_is_exact"]


def test_opt_in_check_can_be_enabled(settle: Callable[..., None], ask: Callable[..., list[str]]) -> None:
    promise = "every_component_is_needed"
    settle("enabled = true", check=promise)

    assert ask() == [check.name for check in _checks("all") if check.default or check.name == promise]


def steps_trained(log: Path) -> int:
    """Return how many steps the longest run trained, and begin anew."""
    numbers = [int(word) for word in log.read_text().split() if word.isdigit()]
    log.unlink()
    return max(numbers) + 1


@pytest.mark.parametrize("way", ["parametrized", "fixture", "target"])
def test_steps_and_at_of_a_table_hold_unless_more_is_said(
    project: pytest.Pytester, settle: Callable[..., None], run_pytest: Run, log: Path, way: str
) -> None:
    settle("steps = 5", "at = [1, 3]", ini=f"ckpt_steps = '2'\nckpt_select = '{RESUME}'\npython_files = '{way}.py'")
    project.makepyfile(
        parametrized="""
            import train
            from pytest_ckpt import parametrize_with_checks

            @parametrize_with_checks(train.make_run)
            def test_it(check): check()
            """,
        fixture="import train\ndef test_it(ckpt): ckpt.check(train.make_run)",
    )
    target = ["--ckpt-run=train:make_run"] if way == "target" else []

    run_pytest(*target).assert_outcomes(passed=1)
    assert steps_trained(log) == 5
    run_pytest(*target, "--ckpt-steps=3").assert_outcomes(passed=1)
    assert steps_trained(log) == 3


def test_call_of_the_fixture_wins(
    project: pytest.Pytester, settle: Callable[..., None], run_pytest: Run, log: Path
) -> None:
    settle("steps = 5", "at = [4]")
    project.makepyfile(
        test_it=f"import train\ndef test_it(ckpt): ckpt.check(train.make_run, steps=3, select='{RESUME}')"
    )

    run_pytest().assert_outcomes(passed=1)
    assert steps_trained(log) == 3


def test_calls_by_hand_and_the_plain_function_read_no_table(
    project: pytest.Pytester, settle: Callable[..., None], run_pytest: Run
) -> None:
    settle("expected_failure = 'it would be one'", "no_key = 1")
    project.makepyfile(
        test_it="""
        import train
        from pytest_ckpt import check_training_run

        def test_resume(ckpt): ckpt.resume(train.make_run, steps=2)
        def test_round_trip(ckpt): ckpt.round_trip(train.make_run)
        def test_plain(): check_training_run(train.make_run, steps=2)
        """
    )

    run_pytest().assert_outcomes(passed=3)


def test_expected_failure_is_an_xfail_under_xdist_too(
    settle: Callable[..., None], run_pytest: Run, project: pytest.Pytester
) -> None:
    settle("expected_failure = { reason = 'weights only', until = 9999-12-31 }", ini="ckpt_steps = '2'")
    options = ["--ckpt-run=train:make_forgetful_run", f"--ckpt-select={RESUME}", "-rx"]

    for workers in ("-n0", "-n2"):
        result = run_pytest(workers, *options)

        result.assert_outcomes(xfailed=1)
        result.stdout.fnmatch_lines([f"XFAIL ckpt-run::train:make_forgetful_run::{RESUME} - weights only"])


def test_unexpected_pass_names_the_table(settle: Callable[..., None], run_pytest: Run) -> None:
    settle("expected_failure = 'weights only'")

    result = run_pytest("--ckpt-run=train:make_run", f"--ckpt-select={RESUME}", "--ckpt-steps=2")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [f"It passes, though it was expected to fail: weights only. Remove it from pyproject.toml: [[]{TABLE}[]]."]
    )


def test_call_that_expects_nothing_is_believed(
    settle: Callable[..., None], project: pytest.Pytester, run_pytest: Run
) -> None:
    settle("expected_failure = 'weights only'")
    project.makepyfile(
        test_it=f"""
        import pytest, train

        def test_call(ckpt): ckpt.check(train.make_run, select='{RESUME}', steps=2, expected_failures={{}})

        @pytest.mark.ckpt(expected_failures={{}})
        def test_marker(ckpt): ckpt.check(train.make_run, select='{RESUME}', steps=2)
        """
    )

    run_pytest().assert_outcomes(passed=2)


WRONG = {
    "step = 8": f" takes no 'step'. Did you mean 'steps'? There are: {KEYS}.",
    "place = 'x'": f" takes no 'place'. There are: {KEYS}.",
    "steps = '8'": " steps is '8'; it is a number of training steps.",
    "steps = true": " steps is True; it is a number of training steps.",
    "steps = [8]": " steps is [8]; it is a number of training steps.",
    "steps = 0": ": steps=0; it is the number of training steps, at least 1.",
    "at = ['2']": " at is ['2']; it is a step to save after, or a list of them.",
    "at = []": " at is []; it is a step to save after, or a list of them.",
    "at = 6": ": at=[6] with steps=6: the steps to save after and resume from lie between 0 and 5, so that at least "
    "one step is left to train.",
    "enabled = 'no'": " enabled is 'no'; it is true or false.",
    "ignore = { rng = 1 }": " ignore is {'rng': 1}; it is a glob of paths, or a list of them.",
    "formats = []": " formats is []; it is a format, or a list of them.",
    "formats = 'picle'": " formats: There is no checkpoint format 'picle'. Did you mean 'pickle'*",
    "expected_failure = true": " expected_failure needs a reason: give a string, or a mapping with 'reason' and, "
    "perhaps, 'until'.",
    "expected_failure = { reason = 'x', until = 'soon' }": " expected_failure: until is 'soon', not a date such as "
    "'2027-01-31'.",
}


@pytest.mark.parametrize("line", WRONG)
def test_table_that_makes_no_sense(settle: Callable[..., None], run_pytest: Run, line: str) -> None:
    settle(line)

    result = run_pytest("--ckpt-run=train:make_run")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    message = f"pyproject.toml: [{TABLE}]{WRONG[line]}".replace("[", "[[]")
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[tool.pytest-ckpt.checks.resume_exact]",
            "[tool.pytest-ckpt.checks.resume_exact]: No check is called 'resume_exact'. Did you mean "
            f"'resume_is_exact'? There are: {', '.join(CHECKS)}.",
        ),
        (
            "[tool.pytest-ckpt.check.resume_is_exact]",
            "[tool.pytest-ckpt] takes no 'check'. Did you mean 'checks'? There are: checks.",
        ),
        (
            "[tool.pytest-ckpt.checks]\nresume_is_exact = false",
            "[tool.pytest-ckpt.checks.resume_is_exact] is False, not a table.",
        ),
        ("[tool.pytest-ckpt]\nchecks = 1", "[tool.pytest-ckpt.checks] is 1, not a table."),
        ("[tool]\npytest-ckpt = 1", "[tool.pytest-ckpt] is 1, not a table."),
        (
            "[tool.pytest_ckpt.checks.resume_is_exact]\nsteps = 8",
            "[tool.pytest_ckpt] is read by nobody; it is spelled [tool.pytest-ckpt].",
        ),
        ("[tool", "Expected ']' at the end of a table declaration (at end of document)"),
    ],
)
def test_file_that_makes_no_sense(project: pytest.Pytester, run_pytest: Run, text: str, message: str) -> None:
    project.path.joinpath("pytest.ini").touch()
    project.path.joinpath("pyproject.toml").write_text(text)

    # Without -c pytest reads the file, and in any case pytest-torch does; both refuse what is no TOML.
    result = run_pytest("-c", "pytest.ini", "-p", "no:pytest_torch", "--ckpt-run=train:make_run")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: pyproject.toml: {message.replace('[', '[[]')}"])


def test_wrong_table_is_an_error_of_a_parametrized_test(
    settle: Callable[..., None], project: pytest.Pytester, run_pytest: Run, ask: Callable[..., list[str]]
) -> None:
    settle("step = 8")
    ask()

    for workers in ("-n0", "-n1"):
        result = run_pytest(workers)

        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            [f"test_it.py::test_it: pyproject.toml: [[]{TABLE}[]] takes no 'step'. Did you mean 'steps'? *"]
        )


def test_no_file_is_read_where_no_check_is_planned(
    settle: Callable[..., None], project: pytest.Pytester, run_pytest: Run
) -> None:
    settle("step = 8")
    project.makepyfile(test_it="def test_it(ckpt): pass")

    run_pytest().assert_outcomes(passed=1)


def test_tables_of_the_page_on_settings_hold_as_they_stand(
    project: pytest.Pytester, ask: Callable[..., list[str]], run_pytest: Run
) -> None:
    (snippet,) = re.findall(r"```toml\n(.*?)```", SETTINGS.read_text(encoding="utf-8"), flags=re.DOTALL)
    project.path.joinpath("pyproject.toml").write_text(f"[tool.pytest.ini_options]\n{snippet}")

    left = [check.name for check in _checks("default") if check.name != "loading_twice_gives_the_same"]
    assert ask() == left


def test_page_on_settings_names_every_key() -> None:
    keys = re.findall(r"^\| `(\w+)` \|", SETTINGS.read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert ", ".join(keys) == KEYS
