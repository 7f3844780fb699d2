"""Each wrapper resumes from its checkpoints and from those of the others; and three ways to lose state between them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_ckpt import CheckpointFailure, check_training_run

from .broken import average_unwrapped, prefix_left_on, prefix_stripped
from .train import Trainer
from .training_run import make_run
from .wrappers import WRAPPERS, unwrap

every_wrapper = pytest.mark.parametrize("wrapper", WRAPPERS)


@pytest.fixture(scope="module", autouse=True)
def no_process_group_is_left() -> Iterator[None]:
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@every_wrapper
def test_wrapped_run_passes_every_check(wrapper: str, ckpt: Any) -> None:
    outcomes = ckpt.check(partial(make_run, wrapper=wrapper))

    assert {outcome.status for outcome in outcomes} == {"pass"}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A checkpoint of each wrapper, after two steps."""
    folder = tmp_path_factory.mktemp("checkpoints")
    paths = {wrapper: folder / f"{number}.pt" for number, wrapper in enumerate(WRAPPERS)}
    for wrapper, path in paths.items():
        torch.manual_seed(0)
        trainer = Trainer(wrapper)
        trainer.train_step(0)
        trainer.train_step(1)
        trainer.save(path)
    return paths


@every_wrapper
def test_wrapper_leaves_no_trace_in_the_file(wrapper: str, checkpoints: dict[str, Path], ckpt: Any) -> None:
    ckpt.compare(torch.load(checkpoints["bare"]), torch.load(checkpoints[wrapper]))


@every_wrapper
@pytest.mark.parametrize("other", WRAPPERS)
def test_any_wrapper_loads_from_any_other(wrapper: str, other: str, checkpoints: dict[str, Path], ckpt: Any) -> None:
    saved = torch.load(checkpoints[other])

    trainer = Trainer(wrapper)
    trainer.load(checkpoints[other])

    ckpt.compare(saved["model"], unwrap(trainer.model).state_dict())
    ckpt.compare(saved["average"], trainer.average.state_dict())
    ckpt.compare(saved["optimizer"], trainer.optimizer.state_dict())


@every_wrapper
def test_old_file_under_the_names_of_a_wrapper_is_read(wrapper: str, tmp_path: Path, ckpt: Any) -> None:
    old = Trainer(wrapper)
    torch.save(old.weights() | {"model": old.model.state_dict()}, tmp_path / "old.pt")

    trainer = Trainer()
    trainer.load_weights(torch.load(tmp_path / "old.pt"))

    ckpt.compare(unwrap(old.model).state_dict(), trainer.model.state_dict())


def test_weights_whose_names_lost_letters_are_missed() -> None:
    with pytest.raises(CheckpointFailure) as failure:
        check_training_run(prefix_stripped)

    assert "model.module.embed.weight: value differs" in str(failure.value)
    assert "model.module.output.weight: value differs" in str(failure.value)
    assert '"embed.weight" arrives as "bed.weight": lstrip()' in str(failure.value)


def test_weights_under_the_names_of_a_wrapper_are_missed() -> None:
    with pytest.raises(CheckpointFailure, match=r"_orig_mod\.module\.") as failure:
        check_training_run(prefix_left_on)

    assert 'consume_prefix_in_state_dict_if_present(state_dict, "_orig_mod.module.")' in str(failure.value)


def test_number_of_updates_is_missed() -> None:
    with pytest.raises(CheckpointFailure, match=r"average\.n_averaged: saved 1, loaded 0"):
        check_training_run(average_unwrapped)
