"""What the page on optimizers and schedulers says is run."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

import pytest_ckpt
from pytest_ckpt import strategies

NAMES = (
    *("averaged_models", "averaging_recipes", "optimizer_recipes", "optimizers", "register_optimizer"),
    *("register_scheduler", "scaler_recipes", "scalers", "scheduler_recipes", "schedulers"),
)
PAGE = Path(pytest_ckpt.__file__).parents[1] / "docs" / "strategies" / "optimizers_and_schedulers.md"


# Adagrad's, of torch, with sparse gradients.
@pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled:UserWarning")
def test_the_code_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    # A module of its own: classes are looked up in theirs.
    module = types.ModuleType("code_of_the_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    for block in blocks:
        line = text[: text.index(block)].count("\n")
        exec(compile("\n" * line + block, PAGE, "exec"), vars(module))

    defined = set(re.findall(r"^def (test_\w+)", text, re.MULTILINE))
    assert len(defined) == len(re.findall(r"^test_\w+\(\)", text, re.MULTILINE)) == 7, "each test is called"
    assert set(NAMES) <= set(strategies.__all__)
    assert all(f"`{name}(" in text or f"import {name}" in text or f", {name}" in text for name in NAMES)
