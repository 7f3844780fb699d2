"""Made-up packages in a temporary directory."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

MakePackage: TypeAlias = Callable[..., str]


@contextmanager
def package_maker(directory: Path) -> Iterator[MakePackage]:
    """Give a function that writes a package of the given modules, importable until the end of the body.

    A module in a package below is called ``below__in__module``.
    """

    def make(source: str = "", **modules: str) -> str:
        for path, text in {"__init__": source, **modules}.items():
            file = directory.joinpath("made_up", *path.split("__in__")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text), encoding="utf-8")
        return "made_up"

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(directory))
        yield make
        for module in [module for module in sys.modules if module.split(".")[0] == "made_up"]:
            del sys.modules[module]
