"""``pytest-ckpt``: the command itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_ckpt import __version__
from pytest_ckpt.cli import main


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])

    assert caught.value.code == 0
    assert capsys.readouterr().out == f"pytest-ckpt {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["check"], "argument COMMAND: invalid choice: 'check' (choose from *checks*)"),
        (["checks", "resume_is_exact", "--write", "docs"], "argument --write: not allowed with argument NAME"),
    ],
)
def test_a_command_that_there_is_not_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2
    pytest.LineMatcher(capsys.readouterr().err.splitlines()).fnmatch_lines([f"pytest-ckpt*: error: {message}"])


@pytest.mark.parametrize("arguments", [["--help"], ["checks", "--help"], ["golden", "verify", "--help"]])
def test_help_needs_no_torch(arguments: list[str]) -> None:
    code = (
        "import atexit, sys\n"
        "from pytest_ckpt.cli import main\n"
        "atexit.register(lambda: print({'hypothesis', 'numpy', 'torch'} & sys.modules.keys()))\n"
        f"main({arguments!r})\n"
    )

    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("usage: pytest-ckpt ")
    assert lines[-1] == "set()"


def test_the_module_can_be_run() -> None:
    command = [sys.executable, "-W", "error", "-m", "pytest_ckpt", "checks", "resume"]

    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("pytest-ckpt: No check is called 'resume'. There are: ")
