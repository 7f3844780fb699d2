"""``docs/guard.md``: its program is written, changed and tested as the page says, and prints what it quotes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import pytest_ckpt.plugin.ckpt_fixture
import pytest_ckpt.plugin.golden_calls  # noqa: F401  What is imported here, no inner run imports again.

PAGE = (Path(__file__).parent.parent / "docs" / "guard.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def changed(source: str, diff: str) -> str:
    old, new = ("".join(f"{line[1:]}\n" for line in diff.splitlines() if line[0] == mark) for mark in "-+")
    assert source.count(old) == 1, old
    return source.replace(old, new)


def test_the_page_is_true(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # edits within a second of each other
    monkeypatch.syspath_prepend(pytester.path)
    trainer = pytester.path / "trainer.py"
    commands = 0
    for kind, text in BLOCK.findall(PAGE):
        if kind == "python":
            (pytester.path / text.split()[1]).write_text(text)
        elif kind == "diff":
            trainer.write_text(changed(trainer.read_text(), text))
        elif kind == "console" and text.startswith("$ pytest test"):
            command, *quoted = text.splitlines()
            result = pytester.runpytest(*command.split()[2:], "-p", "no:randomly")
            said = [
                line.removeprefix("E       ").removeprefix("pytest_ckpt.errors.CheckpointFailure: ")
                for line in result.outlines
            ]
            missing = [line for line in quoted if not any(line in other for other in said)]
            assert not missing, result.stdout.str()
            commands += 1

    assert commands == 6
    manifest = (pytester.path / "__checkpoints__" / "trainer" / "1.0.json").read_text()
    (lines,) = re.findall(r'^```\n("model.+?)^```', PAGE, re.MULTILINE | re.DOTALL)
    assert all(line in manifest for line in lines.splitlines())
