"""Every planted bug is found and named; what would make that worthless is tested too."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_ckpt import CheckpointFailure, check_training_run

from . import demo
from .planted_bugs import BUGS, PlantedBug, plant


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_bug_is_caught_and_named(bug: PlantedBug) -> None:
    with pytest.raises(CheckpointFailure) as failure:
        check_training_run(plant(bug))

    assert bug.lost in str(failure.value)


def test_there_are_enough_bugs_with_names_of_their_own() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 12


def test_bug_in_a_line_that_has_changed_is_an_error() -> None:
    stale = dataclasses.replace(BUGS[0], old="exclude_keys = []")

    with pytest.raises(ValueError, match=r"workspace\.py has 0$"):
        stale.apply("exclude_keys = ()\n")


def test_bug_is_one_line_and_keeps_its_indentation() -> None:
    bug = PlantedBug(name="b", file="f.py", old="b = 1", new="b = 2", lost="b")

    assert bug.apply("def f():\n    b = 1\n    return b\n") == "def f():\n    b = 2\n    return b\n"
    assert bug.diff() == "- b = 1\n+ b = 2"
    assert dataclasses.replace(bug, new="").apply("a\n  b = 1\nc") == "a\nc"


def test_demo_fails_when_a_bug_is_missed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    harmless = PlantedBug(
        name="harmless", file="data.py", old="self.epoch = 0", new="self.epoch = int()", lost="batches.epoch"
    )
    monkeypatch.setattr(demo, "BUGS", (harmless,))

    assert demo.main([]) == 1

    assert "0 of 1 planted bugs caught and named" in capsys.readouterr().out
