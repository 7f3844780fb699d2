"""Damaged checkpoints by the thousand end in words and an exit status: no traceback, no waiting, no memory gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing import fuzz

from pytest_ckpt.inspection import detecting

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")
_MEMORY = 300  # megabytes


def test_damaged_files_end_in_words(tmp_path: Path) -> None:
    found = fuzz(80, 0, tmp_path)

    assert found.crashes == []
    assert found.slow == []
    assert found.memory < _MEMORY
    assert all(
        found.statuses[status] > 0 for status in ("inspect 0", "inspect 2", "scan 0", "scan 1", "scan 2", "diff 1")
    )


def test_a_crash_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(detecting, "read_pickle", broken)

    assert any("ZeroDivisionError" in crash for crash in fuzz(25, 0, tmp_path).crashes)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_thousand_damaged_files_end_in_words(seed: int, tmp_path: Path) -> None:
    found = fuzz(10_000, seed, tmp_path)

    assert (found.crashes, found.slow) == ([], [])
    assert found.memory < _MEMORY
