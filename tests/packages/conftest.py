from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MakePackage = Callable[..., str]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where packages are written."""
    return tmp_path


@pytest.fixture
def make_package(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakePackage]:
    """Write a package of the given modules, and make it importable; it is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(directory))

    def make(source: str = "", name: str = "made_up", **modules: str) -> str:
        for path, text in {"__init__": source, **modules}.items():
            file = directory.joinpath(name, *path.split("__in__")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text), encoding="utf-8")
        return name

    yield make
    for module in [module for module in sys.modules if module.split(".")[0].startswith("made_up")]:
        del sys.modules[module]
