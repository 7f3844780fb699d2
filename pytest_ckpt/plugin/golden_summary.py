"""At the end of a session: what ``ckpt.golden()`` has written, and the manifests that no test has used.

A manifest counts as unused only where everything that could use it has run: without ``-k``, ``-m``, ``--lf`` and the
like, nothing deselected, no test picked out by its name, none skipped, and each test module of the directory among the
reports. Under xdist the controller knows of deselected tests from its workers.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pytest_ckpt.golden.keeping import MANIFEST
from pytest_ckpt.plugin.stash import DESELECTED, GOLDEN_USED, GOLDEN_WROTE, golden_directory

__all__ = ["golden_lines"]

_NARROWING = ("keyword", "markexpr", "lf", "last_failed", "failedfirst", "stepwise", "deselect", "collectonly")


def golden_lines(config: pytest.Config, reports: list[pytest.TestReport]) -> Iterator[str]:
    """Yield the lines of the summary; with ``--ckpt-prune``, delete what is unused.

    Args:
        config: The configuration of the session.
        reports: The reports of all phases of all tests.
    """
    properties = [(key, str(value)) for r in reports if r.when == "call" for key, value in r.user_properties]
    yield from (value for key, value in properties if key == GOLDEN_WROTE)
    used = {Path(value) for key, value in properties if key == GOLDEN_USED}
    whole = _ran_everything(config, reports)
    unused = [folder for folder in _manifests(config, reports) if folder not in used] if whole else []
    prune = config.getoption("ckpt_prune")
    for folder in unused:
        if prune:
            shutil.rmtree(folder)
            yield f"deleted {_short(folder, config)}, which no test has used"
        else:
            yield f"unused: {_short(folder, config)}. --ckpt-prune deletes it."
    if prune and not whole:
        yield "Nothing was deleted: not every test has run, so what is unused cannot be told."


def _short(path: Path, config: pytest.Config) -> Path:
    return path.relative_to(config.rootpath) if path.is_relative_to(config.rootpath) else path


def _ran_everything(config: pytest.Config, reports: list[pytest.TestReport]) -> bool:
    narrowed = any(config.getoption(name, None) for name in _NARROWING)
    picked = any("::" in argument for argument in config.args)
    ended = all(report.outcome == "passed" for report in reports if report.when == "setup")
    return not (narrowed or picked or config.stash.get(DESELECTED, 0)) and ended and bool(reports)


def _manifests(config: pytest.Config, reports: list[pytest.TestReport]) -> Iterator[Path]:
    """Yield the directories of manifests beside test modules, where all modules of a directory have run."""
    modules = {Path(config.rootpath, report.nodeid.partition("::")[0]) for report in reports if report.when == "call"}
    for folder in sorted({module.parent for module in modules}):
        if all(file in modules for file in folder.iterdir() if _is_test_module(file, config)):
            manifests = (folder / golden_directory(config)).glob(f"*/{MANIFEST}")
            yield from sorted(manifest.parent for manifest in manifests)


def _is_test_module(path: Path, config: pytest.Config) -> bool:
    return path.is_file() and any(fnmatch(path.name, glob) for glob in config.getini("python_files"))
