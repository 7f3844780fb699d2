"""Bugs that a CPU hides, each beside its mended twin, moved from one machine to another."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_ckpt import check_training_run
from pytest_ckpt.relocation import Place, Relocation, relocate

BUGS = sorted((Path(__file__).parent / "bugs").glob("*.py"))
MOVES = {
    "cpu -> cpu": (Place(device="cpu"), Place(device="cpu")),
    "cpu -> cuda:1": (Place(device="cpu"), Place(device="cuda:1")),
    "cuda:1 -> cpu": (Place(device="cuda:1"), Place(device="cpu")),
    "cuda:1 -> cuda:0 of 1": (Place(device="cuda:1"), Place(device="cuda:0", count=1)),
    "cuda:1 -> cuda:1": (Place(device="cuda:1"), Place(device="cuda:1")),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"placement_bug_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words(found: Relocation) -> str:
    parts = [found.divergence, found.restored, found.failure]
    return " ".join([*map(str, parts), *map(str, found.misplaced)])


@pytest.mark.thorough  # test_checks_of_placement.py tries the same pairs through the checks
@pytest.mark.parametrize("path", BUGS, ids=lambda path: str(path.stem))
def test_a_bug_shows_where_it_says(path: Path) -> None:
    program = load(path)

    for move in program.SHOWS:
        found = relocate(program.make_buggy, *MOVES[move])
        assert found.wrong, f"{move}: {found}"
        assert not found.unable
        assert any(word in words(found) for word in program.NAMES), words(found)


@pytest.mark.thorough  # test_checks_of_placement.py tries the same pairs through the checks
@pytest.mark.parametrize("path", BUGS, ids=lambda path: str(path.stem))
def test_the_mended_twin_moves_everywhere(path: Path) -> None:
    program = load(path)

    for move, (source, target) in MOVES.items():
        found = relocate(program.make_fixed, source, target)
        assert not found.wrong, f"{move}: {words(found)}"
        assert not found.unable, move


@pytest.mark.parametrize("path", BUGS, ids=lambda path: str(path.stem))
def test_plain_cpu_hides_the_bug(path: Path) -> None:
    check_training_run(load(path).make_buggy, steps=3, select=["fidelity", "resume"])


def test_there_are_as_many_as_promised() -> None:
    assert len(BUGS) >= 25
