"""Small programs modelled on documented checkpoint bugs, each beside its mended twin, and correct programs.

Each file of `programs/bugs` has `make_buggy`, `make_fixed`, what is wrong in `DOC`, and in `NAMES` the words of
which a report must hold one. Each file of `programs/correct` has `make_run`, or several in `RUNS`.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from pytest_ckpt import CheckpointFailure, check_training_run

PROGRAMS = Path(__file__).parent / "programs"
BUGS = sorted(path.stem for path in (PROGRAMS / "bugs").glob("*.py"))
CORRECT = sorted(path.stem for path in (PROGRAMS / "correct").glob("*.py"))
# The report blames the generator that holds the sampler, not the sampler's epoch.
UNNAMED = {"attribute_of_an_enum_member", "sampler_set_epoch", "skipped_loader_repeats_permutation"}


def some(names: list[str], first: int) -> list[Any]:
    """Return all names; every third one, from ``first`` on, is for ``make test``, and the others are thorough."""
    return [n if i % 3 == first else pytest.param(n, marks=pytest.mark.thorough) for i, n in enumerate(names)]


def load(folder: str, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"program_{name}", PROGRAMS / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # whole models are pickled by their module's name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", some(BUGS, 0))
def test_a_bug_is_found_and_named(name: str) -> None:
    program = load("bugs", name)

    with pytest.raises(CheckpointFailure) as caught:
        check_training_run(program.make_buggy)

    report = str(caught.value).lower()
    assert any(word.lower() in report for word in program.NAMES) == (name not in UNNAMED), report


@pytest.mark.parametrize("name", some(BUGS, 1))
def test_the_mended_twin_is_not_accused(name: str) -> None:
    check_training_run(load("bugs", name).make_fixed)


@pytest.mark.parametrize("name", some(CORRECT, 0))
def test_a_correct_program_is_not_accused(name: str) -> None:
    program = load("correct", name)
    makers = [getattr(program, maker) if isinstance(maker, str) else maker for maker in getattr(program, "RUNS", ())]

    for maker in makers or [program.make_run]:
        check_training_run(maker[1] if isinstance(maker, tuple) else maker)
