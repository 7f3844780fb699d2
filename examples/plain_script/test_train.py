"""The script passes every check, those that restore less do not, and what they miss is named."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_ckpt import CheckpointFailure, check_training_run, parametrize_with_checks

from . import train
from .broken import best_forgotten, only_the_usual
from .training_run import make_run


@parametrize_with_checks(make_run)
def test_checkpoint(check: Callable[[], Any]) -> None:
    check()


def test_schedule_and_random_state_are_missed() -> None:
    with pytest.raises(CheckpointFailure) as failure:
        check_training_run(only_the_usual)

    assert "scheduler.last_epoch: value differs" in str(failure.value)
    assert "To blame: rng.torch" in str(failure.value)


def test_best_accuracy_is_missed() -> None:
    # Twelve epochs: where the accuracy only rises, it does no harm to forget the best one.
    with pytest.raises(CheckpointFailure, match=r"To blame: .*progress\b") as failure:
        check_training_run(best_forgotten, steps=12, select=["resume_is_exact"])

    assert "progress.best_accuracy: saved 0.9" in str(failure.value)


def test_script_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What no check sees is main() itself: that it counts on from the epoch in the file, and to the end."""

    def run(*arguments: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["train.py", "--checkpoint", str(tmp_path / "last.pt"), *arguments])
        train.main()
        return capsys.readouterr().out.splitlines()

    first = run("--epochs", "2")
    second = run("--epochs", "4", "--resume")

    assert [line.split()[1] for line in first + second] == ["1", "2", "3", "4"]
