"""Paths that a project chooses not to restore are carried over from the saved run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from pytest_ckpt import TrainingRun
from pytest_ckpt.comparison import compare
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.runs.carrying import carry_over
from pytest_ckpt.state import capture, get_random_state, seed_everything, set_random_state


@pytest.fixture(autouse=True)
def _random_state_as_before() -> Iterator[None]:
    before = get_random_state()
    yield
    set_random_state(before)


class Versioned(nn.Linear):
    _version = 2

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        assert local_metadata["version"] == 2
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class Counter:
    loads = 0

    def state_dict(self) -> dict[str, int]:
        return {"count": 1}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.loads += 1


def made(seed: int, *, backwards: bool = False) -> LiveRun:
    seed_everything(seed)
    model = nn.Sequential(Versioned(2, 2), nn.Linear(2, 1))
    model.register_buffer("cache", torch.rand(2), persistent=False)
    model.register_buffer("other", torch.rand(2), persistent=False)
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters[::-1] if backwards else parameters, lr=0.1 * seed)
    model(torch.rand(3, 2)).square().mean().backward()
    optimizer.step()
    components = {
        "model": model,
        "optimizer": optimizer,
        "counter": Counter(),
        "rng": torch.Generator().manual_seed(seed),
        "log": {"losses": [seed, seed], "best": seed},
    }
    return LiveRun(TrainingRun(components))


def changed(saved: Any, before: Any, after: Any) -> set[str]:
    """The paths that were carried over; what was not must be as before."""
    different = {m.path for m in compare(before.state, saved.state)}
    left = {m.path for m in compare(after.state, saved.state)}
    touched = {m.path for m in compare(before.state, after.state)}
    assert touched == different - left
    return touched


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("model", {"model.0.weight", "model.0.bias", "model.1.weight", "model.1.bias"}),
        ("model.1", {"model.1.weight", "model.1.bias"}),
        ("model.*.bias", {"model.0.bias", "model.1.bias"}),
        ("model.0.weight", {"model.0.weight"}),
        ("optimizer.param_groups[0].lr", {"optimizer.param_groups[0].lr"}),
        ("optimizer.state[1.bias].exp_avg", {"optimizer.state[1.bias].exp_avg"}),
        ("optimizer.state[1.bias]", {"optimizer.state[1.bias].exp_avg", "optimizer.state[1.bias].exp_avg_sq"}),
        ("log.losses[1]", {"log.losses[1]"}),
        ("log", {"log.losses[0]", "log.losses[1]", "log.best"}),
        ("rng", {"rng"}),
        ("nothing.like.this", set()),
    ],
)
def test_what_matches_is_carried_over_and_nothing_else(glob: str, expected: set[str]) -> None:
    saved = capture(made(1).components)
    fresh = made(2)
    before = capture(fresh.components)

    carry_over(fresh, saved, (glob,))

    assert changed(saved, before, capture(fresh.components)) == expected
    assert fresh.components["counter"].loads == 0


def test_without_globs_nothing_is_read() -> None:
    carry_over(LiveRun(TrainingRun({"odd": object()})), capture({}), ())


def test_optimizer_state_follows_the_name_and_not_the_position() -> None:
    saved = capture(made(1).components)
    fresh = made(2, backwards=True)
    before = capture(fresh.components)

    carry_over(fresh, saved, ("optimizer.state[0.weight].exp_avg",))

    after = capture(fresh.components)
    state = after.state
    assert [m.path for m in compare(before.state, state)] == ["optimizer.state[0.weight].exp_avg"]
    weight = fresh.components["model"][0].weight
    assert torch.equal(
        state["optimizer"]["state"]["0.weight"]["exp_avg"], saved.state["optimizer"]["state"]["0.weight"]["exp_avg"]
    )
    assert fresh.components["optimizer"].state[weight]["exp_avg"].shape == weight.shape


@pytest.mark.parametrize("glob", ["optimizer.state", "optimizer.state[*]"])
def test_optimizer_state_that_the_load_left_out_is_added(glob: str) -> None:
    saved = capture(made(1).components)
    fresh = made(2)
    fresh.components["optimizer"].state.clear()

    carry_over(fresh, saved, (glob,))

    assert not compare(saved.state["optimizer"]["state"], capture(fresh.components).state["optimizer"]["state"])


def test_buffers_outside_the_state_dict_are_carried_over() -> None:
    saved = capture(made(1).components)
    fresh = made(2)
    other = fresh.components["model"].other.clone()

    carry_over(fresh, saved, ("model.cache",))

    model = fresh.components["model"]
    assert torch.equal(model.cache, saved.hidden["model"]["cache"])
    assert torch.equal(model.other, other)


def test_the_random_state_is_carried_over_by_name() -> None:
    seed_everything(1)
    saved = capture({"model": nn.Linear(1, 1)})
    expected = torch.rand(1)
    seed_everything(2)
    numpy_state = get_random_state()["numpy"]

    carry_over(LiveRun(TrainingRun({"model": nn.Linear(1, 1)})), saved, ("rng.torch",))

    assert torch.equal(torch.rand(1), expected)
    assert not compare(numpy_state, get_random_state()["numpy"])


def test_all_of_the_random_state_is_carried_over() -> None:
    seed_everything(1)
    saved = capture({})
    seed_everything(2)

    carry_over(LiveRun(TrainingRun({})), saved, ("rng.*",))

    assert not compare(saved.hidden["rng"], get_random_state())


def test_the_saved_picture_is_not_handed_out() -> None:
    saved = capture(made(1).components)
    fresh = made(2)

    carry_over(fresh, saved, ("*",))
    before = saved.state["optimizer"]["state"]["0.weight"]["exp_avg"].clone()
    for state in fresh.components["optimizer"].state.values():
        state["exp_avg"].zero_()
    fresh.components["log"]["losses"].append(3)

    assert torch.equal(saved.state["optimizer"]["state"]["0.weight"]["exp_avg"], before)
    assert saved.state["log"]["losses"] == [1, 1]


def test_components_that_only_one_run_has_are_left_alone() -> None:
    fresh = LiveRun(TrainingRun({"new": {"a": 1}}))

    carry_over(fresh, capture({"old": {"a": 2}}), ("*",))

    assert fresh.components == {"new": {"a": 1}}
