"""The page on drawn modules says what is true: its code runs, and it leaves nothing out."""

from __future__ import annotations

import inspect
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis.errors import NonInteractiveExampleWarning

from pytest_ckpt.strategies import modules
from pytest_ckpt.strategies.networks import registration
from pytest_ckpt.strategies.networks.shapes import SHAPES

PAGE = (Path(__file__).parents[2] / "docs" / "strategies" / "modules.md").read_text(encoding="utf-8")


def test_its_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registration, "_REGISTERED", [])
    names: dict[str, Any] = {"__name__": "page"}

    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore", NonInteractiveExampleWarning)
        for block in re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL):
            exec(block, names)
        for name in ("test_my_saver_keeps_the_outputs", "test_drawn_modules_resume"):
            names[name]()

    assert [kind.name for kind in registration.registered_kinds()] == ["Gate", "Distance"]


def test_it_names_every_option_and_every_kind_of_input() -> None:
    options = inspect.signature(modules).parameters

    assert {name for name in options if f"`{name}" not in PAGE} == set()
    assert {name for name in SHAPES if f'`"{name}"`' not in PAGE} == set()
