"""The examples of the page about devices do what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_ckpt.checks import CHECKS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/devices.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    # The checkout comes first, so that one that is not installed can be tested, too.
    path = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(project)!r}]\n"
    (project / "sitecustomize.py").write_text(path, encoding="utf-8")
    return subprocess.run(
        command, cwd=project, env={"PYTHONPATH": str(project)}, capture_output=True, text=True, check=False, timeout=300
    )


def pytest_in(project: Path, *arguments: str) -> str:
    options = ("-p", "no:randomly", "-p", "no:cacheprovider", "-rA")
    return run(project, "-m", "pytest", *options, *arguments).stdout


def test_every_block_of_python_is_a_file() -> None:
    assert len(FILES) == PAGE.count("```python") == 4


def test_two_tests_of_the_program_fail_until_it_says_where_tensors_go(project: Path) -> None:
    failing = re.findall(r"^FAILED test_checkpoint.py::(\S+\])", pytest_in(project, "test_checkpoint.py"), re.MULTILINE)

    assert set(failing) == set(re.findall(r"`(test_checkpoint\[.+?\])`", PAGE))

    mended = re.search(r"With `(torch.load\(.+?\))` they pass", PAGE)
    assert mended is not None
    program = FILES["train.py"].replace("torch.load(path)", mended[1])
    (project / "train.py").write_text(program, encoding="utf-8")

    assert re.search(r"\d+ passed", output := pytest_in(project, "test_checkpoint.py"))
    assert "failed" not in output


def test_the_fixture_and_the_script_and_the_command_line(project: Path) -> None:
    output = pytest_in(project, "test_model.py")
    assert all(f"PASSED test_model.py::{name}" in output for name in re.findall(r"`(test_the_mask\w+\[.+?\])`", PAGE))
    assert "2 passed" in output

    assert run(project, "script.py").stdout == "simulated cuda:0\n"

    (command,) = re.findall(r"^\$ pytest (--ckpt-run.+)$", PAGE, flags=re.MULTILINE)
    output = pytest_in(project, *command.split(), "--ckpt-select=state_is_restored")
    assert "PASSED ckpt-run::train:make_run::state_is_restored-cpu" in output
    assert "PASSED ckpt-run::train:make_run::state_is_restored-simulated-cuda:1" in output


def test_the_table_has_every_check_of_placement() -> None:
    named = re.findall(r"^\| \[`(\w+)`\]", PAGE, flags=re.MULTILINE)

    assert named == [name for name, check in CHECKS.items() if check.group == "placement"]
