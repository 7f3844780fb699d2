"""Every folder in ``examples/`` explains itself, is in the index and passes its own tests."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from pytest_ckpt import check_training_run
from pytest_ckpt.formats import register_formats
from pytest_ckpt.reporting import report

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(folder for folder in (ROOT / "examples").iterdir() if any(folder.glob("*.py")))
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda folder: folder.name)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    # Without this run's own settings, such as those of an xdist worker.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def run_pytest(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run("-m", "pytest", "-c", ROOT / "pyproject.toml", "-o", "addopts=", "-p", "no:cacheprovider", *arguments)


def without_numbers(text: str) -> str:
    """They are those of one version of torch on one processor."""
    return re.sub(r"-?\d+(\.\d+)?(e[+-]\d+)?", "<number>", text)


def test_there_are_examples() -> None:
    assert {"custom_module", "digits_workspace", "first_round_trip", "gan", "plain_script"} <= {
        e.name for e in EXAMPLES
    }


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
    said, expected = without_numbers(result.stdout), without_numbers(quoted)
    missing = [line for line in expected.splitlines() if line not in said]
    assert not missing, result.stdout


def quoted_reports() -> Iterator[ParameterSet]:
    """Yield what a README prints after it has named a run, such as ``broken.py:run``, and how that was checked."""
    named, printed = r"`(\w+)\.py:(\w+)`(?: \(`(.*?)`\))?", r"\n```\n(.*?)```\n"
    for example in EXAMPLES:
        readme = (example / "README.md").read_text(encoding="utf-8")
        for module, name, *rest in re.findall(f"{named}(?:(?!```).)*{printed}", readme, re.DOTALL):
            yield pytest.param(example.name, module, name, *rest, id=f"{example.name}-{name}")


@pytest.fixture
def importable_examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(ROOT / "examples")
    unregister = register_formats(importlib.import_module("custom_format.conftest").pytest_ckpt_formats(None))
    yield
    unregister()


def test_every_example_with_broken_runs_quotes_a_report() -> None:
    quoting = {quoted.values[0] for quoted in quoted_reports()}

    assert quoting == {example.name for example in EXAMPLES if (example / "broken.py").exists()}


@pytest.mark.usefixtures("importable_examples")
@pytest.mark.parametrize(("example", "module", "run_name", "options", "quoted"), list(quoted_reports()))
def test_readme_quotes_the_report_of_a_broken_run(
    example: str, module: str, run_name: str, options: str, quoted: str
) -> None:
    make_run = getattr(importlib.import_module(f"{example}.{module}"), run_name)

    outcomes = check_training_run(make_run, raise_on_failure=False, **eval(f"dict({options})"))

    said = without_numbers(report(outcomes))
    position = 0
    for part in without_numbers(quoted).split("...\n"):
        assert part in said[position:], said
        position = said.index(part, position)


def test_example_runs_without_a_test_file() -> None:
    example = "examples/plain_script"
    (command,) = re.findall(r"\$ pytest (.+ --ckpt-run .+)", (ROOT / example / "README.md").read_text(encoding="utf-8"))

    result = run_pytest(*command.split())

    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r" [1-9]\d* passed, 1 skipped in ", result.stdout), result.stdout


def test_readme_quotes_the_self_test_of_the_ten_lines() -> None:
    (quoted,) = re.findall(
        r"\ntest_trainer\.py(::test_checkpoint: .+)", (ROOT / "README.md").read_text(encoding="utf-8")
    )

    result = run_pytest("--ckpt-selftest", ROOT / "examples" / "first_round_trip")

    assert result.returncode == 0, result.stdout + result.stderr
    assert quoted in result.stdout


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
