"""Both players go on as they were, and three GANs that save less, or more than they may, are told so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pytest_ckpt import CheckpointFailure, check_training_run

from .broken import curious, forgetful, published
from .train import Gan
from .training_run import make_run


def test_gan_is_the_same_after_a_resume() -> None:
    outcomes = check_training_run(make_run)

    assert {outcome.status for outcome in outcomes} == {"pass"}


def test_discriminator_that_is_not_in_the_file_is_missed() -> None:
    with pytest.raises(CheckpointFailure) as failure:
        check_training_run(published, at=[3])

    assert "To blame: discriminator, discriminator_optimizer (restoring them alone" in str(failure.value)


def test_save_that_draws_random_numbers_is_caught() -> None:
    with pytest.raises(CheckpointFailure) as failure:
        check_training_run(curious)

    assert [outcome.check for outcome in failure.value.outcomes.failures] == ["saving_changes_nothing"]
    assert "save(path) changed rng.torch" in str(failure.value)


def test_noise_of_the_samples_is_missed_though_training_does_not_need_it() -> None:
    with pytest.raises(CheckpointFailure) as failure:
        check_training_run(forgetful)

    assert [outcome.check for outcome in failure.value.outcomes.failures] == ["outputs_are_restored"]
    assert "Put ForgetfulGan.fixed_noise into the checkpoint" in str(failure.value)


def test_samples_are_those_in_the_file(tmp_path: Path) -> None:
    gan = Gan()
    gan.train_step(0)
    gan.save(tmp_path / "gan.pt")

    again = Gan()
    again.load(tmp_path / "gan.pt")

    torch.testing.assert_close(again.samples(), torch.load(tmp_path / "gan.pt")["samples"], rtol=0, atol=0)
