"""How a file in the project's root imports ``make_run``, be it of a module, of a test or of a conftest."""

from __future__ import annotations

import site
import sys
from pathlib import Path
from typing import Any

__all__ = ["home_of", "import_lines"]


def import_lines(make_run: Any) -> list[str]:
    """Return the lines that make ``make_run`` known."""
    module, name = getattr(make_run, "__module__", "") or "", getattr(make_run, "__qualname__", "")
    owner, _, rest = name.partition(".")
    if not owner.isidentifier() or "<" in rest or module in ("", "__main__"):
        return ["# Put this file's text below the definition of make_run, which cannot be imported."]
    if rest:
        return [f"from {module} import {owner}", "", f"make_run = {name}"]
    return [f"from {module} import {name}" + ("" if name == "make_run" else " as make_run")]


def home_of(make_run: Any) -> str:
    """Return the folder to look for ``make_run`` in; empty where a file in the project's root finds it."""
    module = sys.modules.get(getattr(make_run, "__module__", "") or "")
    file = getattr(module, "__file__", None)
    if module is None or file is None or import_lines(make_run)[0].startswith("#"):
        return ""
    depth = module.__name__.count(".") + (Path(file).name == "__init__.py")
    folder = Path(file).resolve().parents[depth]
    installed = {Path(place).resolve() for place in (*site.getsitepackages(), site.getusersitepackages())}
    if folder == Path.cwd().resolve() or folder in installed:
        return ""
    here = Path.cwd().resolve()
    return folder.relative_to(here).as_posix() if folder.is_relative_to(here) else str(folder)
