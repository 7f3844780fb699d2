"""Every folder in ``examples/`` explains itself, is in the index and passes its own tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(folder for folder in (ROOT / "examples").iterdir() if any(folder.glob("*.py")))
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda folder: folder.name)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    # Without this run's own settings, such as those of an xdist worker.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def run_pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    return run("-m", "pytest", "-c", ROOT / "pyproject.toml", "-o", "addopts=", "-p", "no:cacheprovider", folder)


def test_there_are_examples() -> None:
    assert {"custom_module", "digits_workspace", "first_round_trip"} <= {folder.name for folder in EXAMPLES}


@every_example
def test_example_explains_itself(example: Path) -> None:
    readme = (example / "README.md").read_text(encoding="utf-8")

    assert readme.startswith("# ")
    assert f"$ pytest examples/{example.name}\n" in readme
    assert list(example.glob("test_*.py"))


@every_example
def test_links_lead_somewhere(example: Path) -> None:
    for page in (example / "README.md", example.parent / "README.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page}: {link}"


@every_example
def test_index_names_the_example(example: Path) -> None:
    index = (example.parent / "README.md").read_text(encoding="utf-8")

    assert f"]({example.name}/README.md)" in index


@every_example
def test_example_passes(example: Path) -> None:
    result = run_pytest(example)

    assert result.returncode == 0, result.stdout + result.stderr


def test_readme_quotes_the_report_of_a_forgotten_line(tmp_path: Path) -> None:
    example = ROOT / "examples" / "first_round_trip"
    readme = (example / "README.md").read_text(encoding="utf-8")
    (forgotten,) = re.findall(r"Delete the line `(.+)` from `trainer.py`", readme)
    (quoted,) = re.findall(r"```\n(The resumed run .+?)```", readme, flags=re.DOTALL)
    folder = Path(shutil.copytree(example, tmp_path / "forgetful"))
    source = (folder / "trainer.py").read_text(encoding="utf-8")
    assert source.count(forgotten) == 1
    (folder / "trainer.py").write_text(source.replace(forgotten, "pass"), encoding="utf-8")

    result = run_pytest(folder)

    assert result.returncode == 1, result.stdout + result.stderr
    # The numbers are those of one version of torch on one processor.
    said, expected = (re.sub(r"\d\.\d+", "<number>", text) for text in (result.stdout, quoted))
    missing = [line for line in expected.splitlines() if line not in said]
    assert not missing, result.stdout


def test_demo_shows_one_bug() -> None:
    result = run(ROOT / "examples" / "digits_workspace" / "demo.py", "epoch off by one")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 of 1 planted bugs caught and named" in result.stdout
    assert "batches.epoch" in result.stdout


def test_demo_knows_its_bugs() -> None:
    result = run(ROOT / "examples" / "digits_workspace" / "demo.py", "epoch of by one")

    assert result.returncode == 2
    assert "No bug is called epoch of by one." in result.stderr
    assert "epoch off by one" in result.stderr
