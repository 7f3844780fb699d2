"""docs/command_line.md shows what the commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pytest_ckpt.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "command_line.md"
STATUSES = {"inspect": 0, "diff": 1, "scan": 1}


def examples() -> list[list[str]]:
    """Return the lines of each console block, the command first."""
    text = PAGE.read_text(encoding="utf-8")
    return [block.splitlines() for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)]


def without_sizes(lines: list[str]) -> list[str]:
    """Sizes of files depend on the version of torch."""
    return [re.sub(r"\(zip\), [\d.]+ k?B", "(zip), SIZE", line) for line in lines]


def test_every_example_is_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(code, {})

    for command, *expected in examples():
        arguments = shlex.split(command)[2:]
        assert command.startswith("$ pytest-ckpt ")
        assert main(arguments) == STATUSES[arguments[0]]
        assert without_sizes(capsys.readouterr().out.splitlines()) == without_sizes(expected)


def test_every_command_on_files_has_an_example() -> None:
    assert [lines[0].split()[2] for lines in examples()] == list(STATUSES)
