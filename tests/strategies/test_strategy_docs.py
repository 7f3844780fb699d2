"""The examples of the page about tensors and payloads run, and the page names what there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_ckpt import strategies
from pytest_ckpt.strategies import CONTAINERS, LAYOUTS

pytestmark = pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental:UserWarning")  # by torch

PAGE = (Path(__file__).parents[2] / "docs/strategies/tensors_and_payloads.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("source", EXAMPLES, ids=lambda source: re.findall(r"def (\w+)", source)[0])
def test_the_example_runs(source: str) -> None:
    # Hypothesis looks for the source of what it runs, and a test has a module of its own.
    names: dict[str, Any] = {"__name__": "an_example"}
    exec(compile(source, "<docs/strategies/tensors_and_payloads.md>", "exec"), names)
    (test,) = [value for name, value in names.items() if name.startswith("test_")]
    test()


@pytest.mark.parametrize("name", ["dtypes", "tensors", "payloads"])
def test_the_table_has_every_option(name: str) -> None:
    section = PAGE.split(f"## `{name}()`")[1].split("\n## ")[0]
    cells = "".join(re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE))

    assert re.findall(r"`(\w+)`", cells) == list(inspect.signature(getattr(strategies, name)).parameters)


def test_all_layouts_and_containers_are_named() -> None:
    assert [name for name in (*LAYOUTS, *CONTAINERS) if f"`{name}`" not in PAGE] == []
    assert len(EXAMPLES) == 4


def test_the_names_are_sorted() -> None:
    assert strategies.__all__ == sorted(strategies.__all__, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(strategies, name) for name in strategies.__all__)
