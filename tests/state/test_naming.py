"""Names for parameters, and optimizer state under them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from pytest_ckpt.paths import spell
from pytest_ckpt.state.members import members_of
from pytest_ckpt.state.naming import is_optimizer_like, named_optimizer_state, parameter_names


def _names(components: dict[str, Any]) -> dict[int, str]:
    return parameter_names(members_of(components))


def test_one_module_needs_no_prefix() -> None:
    model = nn.Linear(1, 1)

    assert _names({"model": model, "count": 3}) == {id(model.weight): "weight", id(model.bias): "bias"}


def test_a_shared_parameter_has_the_name_of_its_first_home() -> None:
    model, head = nn.Linear(1, 1), nn.Linear(1, 1)
    head.weight = model.weight

    assert _names({"a": model, "b": head}) == {
        id(model.weight): "a.weight",
        id(model.bias): "a.bias",
        id(head.bias): "b.bias",
    }


class Wrapped:
    """Like the optimizer wrappers of frameworks: the groups, but not the class."""

    def __init__(self, groups: Any) -> None:
        self.param_groups = groups


@pytest.mark.parametrize(
    ("groups", "expected"),
    [([{"params": []}], True), ([], True), ([{"lr": 1}], False), (None, False), ([3], False)],
)
def test_what_has_parameter_groups_is_like_an_optimizer(groups: Any, expected: bool) -> None:
    assert is_optimizer_like(Wrapped(groups)) is expected


class Touchy:
    """Refuses to be asked for what it has not."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize("component", [{}, Touchy()], ids=["mapping", "touchy"])
def test_what_has_no_groups_is_not_like_an_optimizer(component: Any) -> None:
    assert not is_optimizer_like(component)


def test_names_stand_in_brackets() -> None:
    model = nn.Sequential(nn.Linear(1, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    state_dict: dict[str, Any] = {
        "state": {0: {"step": 1}, "global": 5},
        "param_groups": [{"lr": 0.1, "params": [0, 1]}],
        "version": 2,
    }

    named = named_optimizer_state(optimizer, state_dict, _names({"model": model}))

    assert named == {
        "state": {"0.weight": {"step": 1}, "global": 5},
        "param_groups": [{"lr": 0.1, "params": ["0.weight", "0.bias"]}],
        "version": 2,
    }
    assert [spell(("state", key)) for key in named["state"]] == ["state[0.weight]", "state.global"]
    assert list(state_dict["state"]) == [0, "global"]


def test_a_state_dict_of_another_form_is_left_alone() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)

    forms: list[dict[str, Any]] = [
        {"inner": {"state": {}}},
        {"state": [1], "param_groups": []},
        {"param_groups": {}},
    ]

    for state_dict in forms:
        assert named_optimizer_state(optimizer, state_dict, {}) == state_dict


def test_what_an_optimizer_saves_of_some_parameters_only_is_named_as_far_as_it_goes() -> None:
    weight, bias, other = (nn.Parameter(torch.ones(1)) for _ in range(3))
    live = Wrapped([{"params": [weight, bias]}, {"params": []}, {"params": [other]}])
    state_dict = {
        "state": {0: {"step": 1}, 7: {"step": 2}},
        "param_groups": [{"params": [0]}, {"params": [7], "lr": 0.1}, {"lr": 0.2}],
    }

    assert named_optimizer_state(live, state_dict, {id(weight): "weight"}) == {
        "state": {"weight": {"step": 1}, 7: {"step": 2}},
        "param_groups": [{"params": ["weight"]}, {"params": ["7"], "lr": 0.1}, {"params": [], "lr": 0.2}],
    }
    fewer = {"state": {}, "param_groups": [{"params": [0]}]}
    assert named_optimizer_state(live, fewer, {}) == {"state": {}, "param_groups": [{"params": ["#0"]}]}
