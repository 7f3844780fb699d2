"""Checkpoints of the first release are read by the second one, and two hurried versions of it are caught."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_ckpt import CheckpointFailure, TrainingRun
from pytest_ckpt.plugin.ckpt_fixture import CkptFixture

from .in_haste import renamed, silenced
from .training_run import make_run

README = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")


def test_old_checkpoints(ckpt: CkptFixture) -> None:
    ckpt.golden(make_run, "trainer")


@pytest.mark.parametrize(("name", "hasty"), [("renamed", renamed), ("silenced", silenced)])
def test_haste_is_caught(ckpt: CkptFixture, name: str, hasty: Callable[[], TrainingRun]) -> None:
    with pytest.raises(CheckpointFailure) as caught:
        ckpt.golden(hasty, "trainer")

    (quoted,) = re.findall(rf"`{name}` .*?\n```\n(.+?)```", README, flags=re.DOTALL)
    said = re.sub(r"at .+:\d+, in load: .+", "at ...", str(caught.value))
    assert [line for line in quoted.splitlines() if line not in said.splitlines()] == []
