"""The code of the documentation's page runs."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from pytest_ckpt.strategies.machine.changes import CHANGES

PAGE = Path(__file__).parents[3] / "docs" / "strategies" / "state_machine.md"


def test_the_code_blocks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    training: Any = types.ModuleType("training")
    training.make_run = lambda: torch.nn.Linear(2, 2)
    monkeypatch.setitem(sys.modules, "training", training)
    names: dict[str, Any] = {}

    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)

    assert names["TestCheckpoints"].settings.max_examples == 1000


def test_every_change_is_in_the_table() -> None:
    rows = [line.split("|")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]

    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == CHANGES.keys()
