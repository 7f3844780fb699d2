"""The action and the hook that run ``pytest-ckpt scan``: valid, and their commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

ROOT = Path(__file__).parents[2]


def steps() -> list[dict[str, Any]]:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = action["runs"]["steps"]
    return found


def run_step(script: str, directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does, with the Python of this process as ``python``."""
    (directory / "bin").mkdir(exist_ok=True)
    python = directory / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    environment = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), **variables}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def scan_step() -> str:
    (script,) = (step["run"] for step in steps() if "pytest_ckpt scan" in step.get("run", ""))
    assert isinstance(script, str)
    return script


def test_every_input_is_used_and_none_stands_in_a_script() -> None:
    """``${{ inputs.x }}`` in a script would run what the input says."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    inputs = yaml.safe_load(text)["inputs"]

    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(inputs)
    assert not any("${{" in step.get("run", "") for step in steps())


def test_the_action_scans_the_files_it_is_given(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "good one.pt")
    (tmp_path / "bad.pkl").write_bytes(b"cposix\nsystem\n(S'touch ran'\ntR.")

    good = run_step(scan_step(), tmp_path, FILES="good*.pt\n", ALLOW="")
    bad = run_step(scan_step(), tmp_path, FILES="good*.pt\nbad.pkl\n", ALLOW="myproject.*")
    allowed = run_step(scan_step(), tmp_path, FILES="bad.pkl", ALLOW="other.*\nposix.*\n")
    none = run_step(scan_step(), tmp_path, FILES="nothing*.pt", ALLOW="")

    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.endswith("    nothing found\n")
    assert (bad.returncode, "calls posix.system" in bad.stdout) == (1, True)
    assert allowed.returncode == 0
    assert (none.returncode, none.stdout) == (2, "::error::no file is called nothing*.pt\n")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "taken"), [("a.pt", True), ("d/b.safetensors", True), ("a.ptx", False), ("a.py", False)]
)
def test_the_hook_takes_checkpoints(name: str, taken: bool) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))

    assert hook["id"] == "pytest-ckpt-scan"
    assert hook["entry"] == "pytest-ckpt scan"
    assert bool(re.search(hook["files"], name)) is taken
