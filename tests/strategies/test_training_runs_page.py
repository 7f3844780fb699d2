"""The page about training runs and the index of the folder say what is true."""

from __future__ import annotations

import inspect
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import pytest_ckpt
from pytest_ckpt import CheckpointFailure, strategies

FOLDER = Path(pytest_ckpt.__file__).parents[1] / "docs" / "strategies"
PAGE = (FOLDER / "training_runs.md").read_text(encoding="utf-8")
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def run(sources: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # A module of its own: classes are looked up in theirs.
    module = types.ModuleType("code_of_the_page_on_runs")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for source in sources:
        exec(compile(source, "<docs/strategies/training_runs.md>", "exec"), vars(module))


@pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled:UserWarning")  # Adagrad's
def test_the_code_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    run(blocks(), monkeypatch)

    assert len(blocks()) == 2


@pytest.mark.thorough
def test_the_bug_on_the_page_is_found_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        blocks()[0]
        .replace('random.setstate(checkpoint["python"])', "pass")
        .replace("max_examples=5", "max_examples=60")
    )

    with pytest.raises(CheckpointFailure) as raised:
        run([source.replace("@settings(QUICK", "@settings(QUICK, database=None, derandomize=True")], monkeypatch)

    said = re.findall(r"^    make_drawn_run=.*,$", PAGE, re.MULTILINE)
    assert said[0].strip() in "\n".join(raised.value.__notes__)


def test_every_option_of_runs_is_on_the_page() -> None:
    section = PAGE.split("| option |")[1].split("\n\n")[0]

    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == list(
        inspect.signature(strategies.training_runs).parameters
    )


NO_STRATEGIES = {
    *("checkpoint_machine", "make_change"),
    *("register_module", "register_optimizer", "register_scheduler"),
}


def test_the_index_names_everything_public_and_every_page() -> None:
    assert [name for name in strategies.__all__ if f"`{name}" not in INDEX] == []
    pages = {page.name for page in FOLDER.glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in INDEX} == set()


@pytest.mark.parametrize("name", [name for name in strategies.__all__ if name.islower() and name not in NO_STRATEGIES])
def test_the_index_has_every_option(name: str) -> None:
    row = re.findall(rf"^\| `{name}\(\)` \|.*$", INDEX, re.MULTILINE)[0]  # The statistics have rows, too.
    strategy: Any = getattr(strategies, name)

    told = set(re.findall(r"`(\w+)`", row.split("|")[4]))
    assert told == {option for option in inspect.signature(strategy).parameters if option != "draw"}
