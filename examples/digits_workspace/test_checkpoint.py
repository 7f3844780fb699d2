"""What a project adds to its own test suite: every check as a test, and some questions of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_ckpt import parametrize_with_checks

from .train import SMALL, DigitsWorkspace, make_run


@parametrize_with_checks(make_run)
def test_checkpoint(check: Callable[[], Any]) -> None:
    check()


def test_resume_from_the_end_of_an_epoch_and_from_its_middle(ckpt: Any) -> None:
    ckpt.resume(make_run, at=[4, 6], steps=10)


def test_workspace_is_rebuilt_from_nothing_but_a_checkpoint(tmp_path: Path, ckpt: Any) -> None:
    workspace = DigitsWorkspace(SMALL)
    workspace.train_step(0)
    path = workspace.save_checkpoint(tmp_path / "one.ckpt")

    rebuilt = DigitsWorkspace.create_from_checkpoint(path)

    ckpt.compare(workspace.model.state_dict(), rebuilt.model.state_dict())
    assert rebuilt.cfg == SMALL
    assert rebuilt.global_step == 1


def test_weights_alone_are_loaded_on_request(tmp_path: Path) -> None:
    workspace = DigitsWorkspace(SMALL)
    workspace.train_step(0)
    workspace.output_dir = tmp_path
    workspace.save_checkpoint(tag="epoch=0", exclude_keys=["random_state"])
    others = ["ema", "best", "optimizer", "scheduler", "batches"]

    workspace.train_step(1)
    trained = workspace.optimizer.state_dict()["state"][0]["step"].clone()
    workspace.load_checkpoint(tag="epoch=0", exclude_keys=others, include_keys=[])

    assert workspace.global_step == 2
    torch.testing.assert_close(workspace.optimizer.state_dict()["state"][0]["step"], trained)
    with pytest.raises(FileNotFoundError):
        workspace.load_checkpoint(tag="epoch=1")
