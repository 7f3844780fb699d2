"""Command line, ini file, marker and hook: what they say, and which of them wins."""

from __future__ import annotations

from collections.abc import Callable

import pytest

FORMAT = """
import pickle
from pytest_ckpt.formats import Format, Keeps

def _save(payload, path):
    path.write_bytes(pickle.dumps(payload))

def _load(path):
    return pickle.loads(path.read_bytes())

MINE = Format(name="mine", suffix=".bin", save=_save, load=_load, keeps=Keeps.OBJECTS, refuses=lambda payload: None)
"""


@pytest.fixture
def ask(project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]) -> Callable[..., list[str]]:
    """Return the ids of the checks of a test, as options and a marker ask for them."""

    def ask(*options: str, marker: str = "", call: str = "") -> list[str]:
        project.makepyfile(
            test_it=f"""
            import pytest, train
            from pytest_ckpt import parametrize_with_checks

            {marker}
            @parametrize_with_checks(train.make_run, {call})
            def test_it(check): pass
            """
        )
        result = run_pytest("--collect-only", "-q", *options)
        return [line.partition("[")[2][:-1] for line in result.outlines if "::test_it[" in line]

    return ask


def test_call_wins_over_marker_over_command_line_over_ini_file(
    project: pytest.Pytester, ask: Callable[..., list[str]]
) -> None:
    project.makeini("[pytest]\nckpt_formats = torch dill\nckpt_select = resume_is_exact\n")
    line, marker = "--ckpt-format=torch-legacy", "@pytest.mark.ckpt(formats='pickle')"

    assert ask() == ["resume_is_exact-torch", "resume_is_exact-dill"]
    assert ask(line) == ["resume_is_exact-torch-legacy"]
    assert ask(line, marker=marker) == ["resume_is_exact-pickle"]
    assert ask(line, marker=marker, call="formats=['torch-mmap']") == ["resume_is_exact-torch-mmap"]
    assert ask("--ckpt-select=state_is_restored,traits_are_restored", line) == [
        "state_is_restored-torch-legacy",
        "traits_are_restored-torch-legacy",
    ]


def test_closest_marker_wins_keyword_by_keyword(ask: Callable[..., list[str]]) -> None:
    markers = "@pytest.mark.ckpt(formats='pickle')\n            @pytest.mark.ckpt(select='state_is_restored')"

    found = ask(marker=f"pytestmark = pytest.mark.ckpt(select='resume', formats='dill')\n            {markers}")

    assert found == ["state_is_restored-pickle"]


@pytest.mark.parametrize("how", ["line", "ini"])
def test_steps_and_ignore_reach_the_checks(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], how: str
) -> None:
    project.makepyfile(
        """
        import train

        def test_it(ckpt):
            outcomes = ckpt.check(train.make_forgetful_run, select="state_is_restored", raise_on_failure=False)
            assert "saved after 3 steps" in outcomes["state_is_restored"].summary
            assert "Carried over instead of loaded: rng.*." in outcomes["state_is_restored"].notes
        """
    )
    options = ["--ckpt-steps=4", "--ckpt-at=3", "--ckpt-ignore=rng.*"]
    if how == "ini":
        project.makeini("[pytest]\nckpt_steps = 4\nckpt_at = 3\nckpt_ignore = rng.*\n")

    run_pytest(*(options if how == "line" else [])).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--ckpt-format=torhc", "There is no checkpoint format 'torhc'. Did you mean 'torch'? Add your own with *"),
        ("--ckpt-steps=0", "--ckpt-steps=0: it is one number of training steps, at least 1."),
        ("--ckpt-steps=many", "--ckpt-steps=many: it is a number of training steps."),
        ("--ckpt-at=1,x", "--ckpt-at=1,x: it is a number of training steps."),
    ],
)
def test_option_that_makes_no_sense_ends_the_run_at_once(
    run_pytest: Callable[..., pytest.RunResult], option: str, message: str
) -> None:
    result = run_pytest(option)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


def test_wrong_name_in_the_ini_file_ends_the_run_too(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    project.makeini("[pytest]\nckpt_formats = picle\n")

    result = run_pytest()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: There is no checkpoint format 'picle'. Did you mean 'pickle'*"])


def test_format_of_a_conftest_can_be_asked_for(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], ask: Callable[..., list[str]]
) -> None:
    project.makeconftest(f"{FORMAT}\ndef pytest_ckpt_formats(config):\n    return [MINE]\n")
    project.makepyfile(
        test_mine="import train\ndef test_mine(ckpt, ckpt_format): ckpt.round_trip(train.make_run, format=ckpt_format)"
    )

    run_pytest("test_mine.py", "--ckpt-format=mine").assert_outcomes(passed=1)
    # The name is free again after the run.
    run_pytest("test_mine.py", "--ckpt-format=mine").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("['mine']", "The hook pytest_ckpt_formats returned 'mine', which is no pytest_ckpt Format."),
        ("3", "The hook pytest_ckpt_formats returned 3, which is no pytest_ckpt Format."),
        ("[MINE, MINE]", "There is a checkpoint format 'mine' already. Give yours another name."),
    ],
)
def test_hook_that_returns_something_else_ends_the_run(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], returned: str, message: str
) -> None:
    project.makeconftest(f"{FORMAT}\ndef pytest_ckpt_formats(config):\n    return {returned}\n")

    result = run_pytest()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


def test_header_says_what_was_asked_for_and_nothing_else(run_pytest: Callable[..., pytest.RunResult]) -> None:
    run_pytest().stdout.no_fnmatch_line("pytest-ckpt:*")

    result = run_pytest("--ckpt-format=torch", "--ckpt-format=pickle", "--ckpt-steps=4", "--ckpt-select=resume")

    result.stdout.fnmatch_lines(["pytest-ckpt: steps 4; formats torch, pickle; select resume"])


def test_help_lists_options_and_ini_names(run_pytest: Callable[..., pytest.RunResult]) -> None:
    result = run_pytest("--help")

    result.stdout.fnmatch_lines(["*checkpoints of training runs (pytest-ckpt):", "*--ckpt-run=MODULE:FACTORY"])
    result.stdout.fnmatch_lines(["*ckpt_formats (args):*"])


def test_markers_are_registered(run_pytest: Callable[..., pytest.RunResult]) -> None:
    result = run_pytest("--markers")

    result.stdout.fnmatch_lines(
        [
            "@pytest.mark.ckpt([*], steps, at, formats, devices, ignore, select, expected_failures, golden_mode, "
            "golden_directory): *"
        ]
    )


def test_options_are_read_and_told_without_torch(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has torch already, and so may other plugins."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\nckpt_select = resume\n")
    pytester.makepyfile(
        """
        import sys, pytest

        @pytest.mark.ckpt(formats="dill")
        def test_it():
            assert {"hypothesis", "numpy", "torch"} & sys.modules.keys() == set()
        """
    )

    result = pytester.runpytest_subprocess(
        "-W", "error", "-p", "pytest_ckpt.plugin", "--ckpt-format=torch", "--ckpt-steps=3"
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["pytest-ckpt: steps 3; formats torch; select resume"])
