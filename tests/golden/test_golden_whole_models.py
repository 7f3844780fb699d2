"""Models that are pickled whole: the file names their classes, and a class that moved is not found."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from versions import Make, Parts, judged, plain_sgd, program

from pytest_ckpt.golden.class_names import classes_called
from pytest_ckpt.trips import workspace


class Whole(torch.nn.Sequential):
    def __init__(self) -> None:
        super().__init__(torch.nn.Linear(4, 3))


def take(content: Any, parts: Parts) -> None:
    parts["model"] = content
    parts["optimizer"] = plain_sgd(content)


def whole_program(kind: type[Whole]) -> Make:
    return program(
        kind,
        plain_sgd,
        pack=lambda parts: parts["model"],
        unpack=take,
        read=lambda path: torch.load(path, weights_only=False),
    )


class Moved(Whole):
    """What became of it."""


@pytest.fixture
def old_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module in which the class was, and is no more."""
    module = ModuleType("models_of_old")
    monkeypatch.setitem(sys.modules, "models_of_old", module)
    return module


def test_a_class_has_its_own_name_again_afterwards(old_module: ModuleType) -> None:
    with classes_called({f"{__name__}.Whole": "models_of_old.Former"}):
        assert (Whole.__module__, Whole.__qualname__) == ("models_of_old", "Former")

    assert (Whole.__module__, Whole.__qualname__) == (__name__, "Whole")
    assert sys.modules["models_of_old"] is old_module
    assert not hasattr(old_module, "Former")


@pytest.mark.parametrize(("alias", "expected"), [(False, "breaking"), (True, "compatible with a migration")])
def test_a_file_that_is_made_to_the_old_form_names_the_old_class(
    old_module: ModuleType, alias: bool, expected: str
) -> None:
    old = type("Whole", (Whole,), {"__module__": "models_of_old"})
    old_module.Whole = old  # type: ignore[attr-defined]

    def read(path: Path) -> Any:
        if alias:
            old_module.Whole = Moved  # type: ignore[attr-defined]
        elif hasattr(old_module, "Whole"):
            del old_module.Whole
        return torch.load(path, weights_only=False)

    new = program(Moved, plain_sgd, pack=lambda parts: parts["model"], unpack=take, read=read)
    with workspace() as directory:
        verdict = judged(whole_program(old), new, directory, made=True)

    assert verdict.classification == expected, verdict
    assert ("models_of_old" in verdict.raised) == (not alias)
