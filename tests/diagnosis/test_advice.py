"""The change that would mend what was lost, for each kind of it."""

from __future__ import annotations

import pytest

from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.diagnosis import advise

KINDS = {"model": "module", "optimizer": "optimizer", "noise": "generator", "queue": "other"}
DECLARED = {"model", "model.weight", "optimizer", "optimizer.state[weight].average", "noise", "queue"}


def advice(cause: str, kind: str = "value", expected: str = "1", actual: str = "0", detail: str = "") -> str:
    mismatch = Mismatch(path=cause, kind=kind, expected=expected, actual=actual, detail=detail)  # type: ignore[arg-type]
    return advise([cause], [mismatch], KINDS, DECLARED.__contains__)


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        ("Trainer.steps", "Put Trainer.steps into the checkpoint and restore it in load."),
        (
            "model.seen",
            "No state dict holds model.seen: register it as a buffer, return it from get_extra_state(), or put it "
            "into the checkpoint and restore it in load.",
        ),
        (
            "queue.cursor",
            "queue.state_dict() does not hold queue.cursor: add it there and in load_state_dict(), or put it into the "
            "checkpoint and restore it in load.",
        ),
        ("queue", "Save queue.state_dict() and give it to queue.load_state_dict() in load."),
        ("noise", "Save the state of noise and put it back in load: get_state(), getstate() or bit_generator.state."),
        (
            "model.weight.requires_grad",
            "Freeze and unfreeze in load as training had done by then: model.weight.requires_grad changed.",
        ),
        (
            "rng.cuda:0",
            "Save and restore this random state with torch.cuda.get_rng_state_all() and "
            "torch.cuda.set_rng_state_all().",
        ),
        (
            "rng.mps",
            "Save and restore this random state with torch.mps.get_rng_state() and torch.mps.set_rng_state().",
        ),
    ],
)
def test_where_it_was_kept(cause: str, sentence: str) -> None:
    assert advice(cause) == sentence


@pytest.mark.parametrize(
    ("expected", "actual", "sentence"),
    [
        (
            "shares memory with model.weight",
            "a copy",
            "Set a copy aside (copy.deepcopy) where queue.best is filled: it shares memory with model.weight, and "
            "follows the live model.",
        ),
        (
            "a copy",
            "shares memory with model.weight",
            "Let load put a copy into queue.best: after loading it shares memory with model.weight, and follows the "
            "live model.",
        ),
        (
            "shares memory with optimizer.param_groups[0]",
            "a copy",
            "Loading an optimizer makes new groups: look them up where they are used, since queue.best is an old one.",
        ),
        (
            "the same object as optimizer",
            "another object",
            "Let queue.best be the same object as optimizer after loading, too: it is another object.",
        ),
    ],
)
def test_what_was_shared_or_copied(expected: str, actual: str, sentence: str) -> None:
    assert advice("queue.best", "sharing", expected, actual) == sentence


@pytest.mark.parametrize("folder", ["'/tmp/a/queue.bin'", "PosixPath('/tmp/a')", "'C:\\\\data'"])
def test_files_that_stay_behind(folder: str) -> None:
    assert advice("Trainer.folder", expected=folder) == (
        f"Put what Trainer.folder leads to into the checkpoint: what lies there stays behind ({folder})."
    )


def test_an_optimizer_of_another_model() -> None:
    assert advice("optimizer", expected="'weight'", actual="'#0'") == (
        "After loading, optimizer holds parameters of no component: build it again for the model that load made."
    )


def test_several_modes_are_one_matter() -> None:
    mismatches = [Mismatch(path=f"model.{i}.training", kind="value", expected="True", actual="False") for i in (1, 2)]

    assert advise([m.path for m in mismatches], mismatches, KINDS, DECLARED.__contains__) == (
        "Put the model back into the mode it was in, after saving and after loading: model.1.training changed."
    )
