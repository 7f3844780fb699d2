"""What the machine prints runs as a file: it fails with the bug and passes without."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

import pytest_ckpt
from pytest_ckpt import CheckpointFailure, TrainingRun
from pytest_ckpt.runs import isolated
from pytest_ckpt.strategies import checkpoint_machine
from pytest_ckpt.strategies.machine.importing import home_of, import_lines

CORRECT = """import torch

from pytest_ckpt import TrainingRun


def make_run():
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    count = [0]

    def step(i):
        count[0] += 1
        optimizer.zero_grad()
        loss = (model(torch.ones(1, 2)) * count[0]).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    def save(path):
        torch.save([model.state_dict(), optimizer.state_dict(), count[0]], path)

    def load(path):
        one, two, three = torch.load(path)
        model.load_state_dict(one)
        optimizer.load_state_dict(two)
        count[0] = three

    def predict():
        return model(torch.ones(1, 2)) * count[0]

    return TrainingRun({"model": model, "optimizer": optimizer}, step, save, load)
"""
BARE = """import torch


class Scale(torch.nn.Linear):
    def get_extra_state(self):
        return {"scale": 2}

    def set_extra_state(self, state):
        self.bias.data.fill_(0.0)


class Workspace:
    def __init__(self):
        self.model = Scale(2, 2)


def make_run():
    return Scale(2, 2)
"""
# What stands in the program, and what stands there instead.
CASES = {
    "count": ("count[0] = three", "count[0] = 0"),
    "optimizer": ("optimizer.load_state_dict(two)", "pass"),
    "save": ("torch.save([model.state_dict()", "model.eval().weight.data += 1; torch.save([model.state_dict()"),
    "raises": ("one, two, three = torch.load(path)", "one, two, three = torch.load(str(path) + 'x')"),
    "no number": ("count[0] = three", "count[0] = 0"),
    "strings": ("count[0] = three", "count[0] = 0"),
    "predicts": ("count[0] = three", "count[0] = 0"),
    "over": ("count[0] = three", "count[0] = int((path.parent / 'count').read_text().split()[0])"),
    "in a thread": ("'THREAD'", "payload = live"),
}


def source_of(name: str) -> str:
    text = CORRECT
    if name == "no number":
        text = text.replace("def step(i):", "def step():")
    if name == "strings":
        text = text.replace("], path)", "], path + '.pt')").replace("torch.load(path)", "torch.load(path + '.pt')")
    if name == "predicts":
        text = text.replace("* count[0]).square()", ").square()").replace(
            "step, save, load)", "step, save, load, predict)"
        )
    if name == "over":
        appends = "with (path.parent / 'count').open('a') as file:\n            file.write(f'{count[0]}\\n')\n        "
        text = text.replace("torch.save([", f"{appends}torch.save([")
    if name == "in a thread":
        writes = (
            "import threading\n        live = [model.state_dict(), optimizer.state_dict(), count[0]]\n"
            "        payload = __import__('copy').deepcopy(live)\n        'THREAD'\n"
            "        threading.Thread(target=torch.save, args=(payload, path)).start()"
        )
        text = text.replace("torch.save([model.state_dict(), optimizer.state_dict(), count[0]], path)", writes)
    return text


def in_a_module(source: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = types.ModuleType("training")
    exec(source, vars(module))
    monkeypatch.setitem(sys.modules, "training", module)
    return module


def program_for(make_run: Callable[[], Any], **options: Any) -> str:
    machine: Any = checkpoint_machine(make_run, **options)
    chosen = settings(machine.TestCase.settings, database=None, derandomize=True, max_examples=200)
    with pytest.raises(CheckpointFailure) as caught:
        run_state_machine_as_test(machine, settings=chosen)
    text = str(caught.value)
    return text[text.index("import random") :]


@pytest.mark.parametrize("name", CASES)
def test_it_fails_with_the_bug_and_passes_without(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source, (right, wrong) = source_of(name), CASES[name]
    assert source.count(right) == 1
    program = program_for(in_a_module(source.replace(right, wrong), monkeypatch).make_run)

    with pytest.raises((AssertionError, FileNotFoundError)), isolated():
        exec(program, {})

    in_a_module(source, monkeypatch)
    with isolated():
        exec(program, {})


@pytest.mark.parametrize("form", ["", "pickle", "torch-whole"])
def test_a_run_without_a_save_of_its_own_is_saved_by_hand(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forgets = CORRECT.replace("return TrainingRun(", "save = load = None\n    return TrainingRun(")
    program = program_for(in_a_module(forgets, monkeypatch).make_run, format=form)

    with pytest.raises(AssertionError), isolated():
        exec(program, {})

    in_a_module(forgets.replace("* count[0]).square()", ").square()"), monkeypatch)
    with isolated():
        exec(program, {})


@pytest.mark.parametrize(
    "made",
    ["Scale(2, 2)", "{'model': Scale(2, 2)}", "type('Workspace', (), {})()"],
    ids=["module", "mapping", "object"],
)
def test_whatever_make_run_returns_is_made_a_run(made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (
        f"made = {made}\n    if not isinstance(made, (dict, Scale)):\n        made.model = Scale(2, 2)\n    return made"
    )
    source = BARE.replace("return Scale(2, 2)", body)
    program = program_for(in_a_module(source, monkeypatch).make_run)

    with pytest.raises(AssertionError), isolated():
        exec(program, {})

    in_a_module(source.replace("self.bias.data.fill_(0.0)", "pass"), monkeypatch)
    with isolated():
        exec(program, {})


def test_it_imports_public_names_alone() -> None:
    program = program_for(ForgetsItsCount.run, changes=["halve_learning_rates"])

    modules = {node.module for node in ast.walk(ast.parse(program)) if isinstance(node, ast.ImportFrom)}
    own = {name for name in modules if name and name.startswith("pytest_ckpt")}
    assert own <= {"pytest_ckpt", "pytest_ckpt.formats", "pytest_ckpt.strategies"}


class ForgetsItsCount:
    @staticmethod
    def run() -> TrainingRun:
        names: dict[str, Any] = {}
        exec(CORRECT.replace("count[0] = three", "count[0] = 0"), names)
        made: TrainingRun = names["make_run"]()
        return made


def test_a_method_is_imported_with_its_class_and_what_has_no_name_is_not() -> None:
    assert import_lines(ForgetsItsCount.run) == [
        f"from {__name__} import ForgetsItsCount",
        "",
        "make_run = ForgetsItsCount.run",
    ]
    assert import_lines(lambda: torch.nn.Linear(1, 1))[0].startswith("# Put this file's text below")
    assert home_of(lambda: torch.nn.Linear(1, 1)) == ""


SLOW = [
    pytest.param(place, marks=pytest.mark.thorough) for place in ("training.py", "package/training.py", "conftest.py")
]


@pytest.mark.parametrize("place", ["tests/test_training.py", *SLOW])
def test_it_runs_as_a_file_in_the_root_of_the_project(place: str, tmp_path: Path) -> None:
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    (file.parent / "__init__.py").touch() if file.parent.name == "package" else None
    test = "\n\nfrom pytest_ckpt.strategies import checkpoint_machine\nTestIt = checkpoint_machine(make_run).TestCase\n"
    buggy = CORRECT.replace("count[0] = three", "count[0] = 0")
    if file.name.startswith("test_"):
        file.write_text(buggy + test, encoding="utf-8")
    else:
        file.write_text(buggy, encoding="utf-8")
        name = ".".join(Path(place).with_suffix("").parts)
        (tmp_path / "test_it.py").write_text(f"from {name} import make_run\n{test}", encoding="utf-8")

    python = {**os.environ, "PYTHONPATH": str(Path(pytest_ckpt.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--tb=short"]
    printed = subprocess.run(call, cwd=tmp_path, env=python, capture_output=True, text=True).stdout
    lines = [line.removeprefix("E").removeprefix("   ") for line in printed.splitlines()]
    begin = next(number for number, line in enumerate(lines) if line == "import random")
    end = next(number for number, line in enumerate(lines) if line.startswith("assert "))
    program = tmp_path / "program.py"
    program.write_text("\n".join(lines[begin : end + 1]) + "\n", encoding="utf-8")

    run = [sys.executable, "program.py"]
    failed = subprocess.run(run, cwd=tmp_path, env=python, capture_output=True, text=True)
    file.write_text(file.read_text(encoding="utf-8").replace(buggy, CORRECT), encoding="utf-8")
    passed = subprocess.run(run, cwd=tmp_path, env=python, capture_output=True, text=True)

    assert failed.stderr.splitlines()[-1].startswith("AssertionError: output: expected "), failed.stderr
    assert passed.returncode == 0, passed.stderr
