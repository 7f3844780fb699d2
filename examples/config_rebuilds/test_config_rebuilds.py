"""Whatever a trial was until it loads, it goes on as the one that was saved."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_ckpt import CheckpointFailure, TrainingRun, check_training_run, parametrize_with_checks

from .broken import IgnoresTheFile, file_ignored, kept_config, kept_optimizer
from .config import Config
from .training_run import make_run
from .trial import Trial


@parametrize_with_checks(make_run)
def test_trial(check: Callable[[], Any]) -> None:
    check()


def test_trial_is_rebuilt_from_nothing_but_a_file(tmp_path: Path, ckpt: Any) -> None:
    trial = Trial(Config.draw())
    trial.train_step(0)
    trial.save(tmp_path / "trial.pt")

    rebuilt = Trial.from_checkpoint(tmp_path / "trial.pt")

    assert rebuilt.config == trial.config
    ckpt.compare(trial.model, rebuilt.model)
    ckpt.compare(trial.optimizer, rebuilt.optimizer)


@pytest.mark.parametrize(
    ("make_broken_run", "lost"),
    [
        (kept_config, r"To blame: KeepsItsConfig\.config\.smoothing"),
        (kept_optimizer, r"optimizer\.param_groups"),
        (file_ignored, r"size mismatch for 0\.weight"),
    ],
    ids=["kept_config", "kept_optimizer", "file_ignored"],
)
def test_what_is_not_rebuilt_is_named(make_broken_run: Callable[[], TrainingRun], lost: str) -> None:
    with pytest.raises(CheckpointFailure, match=lost):
        check_training_run(make_broken_run)


def test_a_fixed_configuration_hides_a_load_that_ignores_the_file() -> None:
    fixed = Config(width=16, dropout=0.1, lr=3e-3, weight_decay=1e-2, smoothing=0.1)

    check_training_run(partial(make_run, IgnoresTheFile, fixed))
