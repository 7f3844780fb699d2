"""What a module is beside the values in its state dict."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pytest_ckpt.paths import spell
from pytest_ckpt.state.members import members_of
from pytest_ckpt.state.traits import hidden_module_state, module_traits


def _traits(module: nn.Module) -> dict[str, dict[str, Any]]:
    return module_traits(members_of({"model": module})["model"])


def test_traits_follow_requires_grad() -> None:
    module = nn.Linear(1, 1)
    module.weight.requires_grad_(False)

    assert {n: t["requires_grad"] for n, t in _traits(module).items()} == {"weight": False, "bias": True}


def test_a_parameter_with_two_names_has_one_entry_under_the_first() -> None:
    module = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1, bias=False))
    module[1].weight = module[0].weight

    assert list(_traits(module)) == [name for name, _ in module.named_parameters()] == ["0.weight", "0.bias"]


def test_each_part_has_its_own_mode() -> None:
    module = nn.Sequential(nn.BatchNorm1d(1), nn.Sequential(nn.Dropout()))
    module[0].eval()

    modes = hidden_module_state(module)["training"]

    assert {spell(("training", name)): mode for name, mode in modes.items()} == {
        "training[itself]": True,
        "training[0]": False,
        "training[1]": True,
        "training[1.0]": True,
    }


def test_only_buffers_outside_the_state_dict_are_hidden() -> None:
    module = nn.Sequential(nn.BatchNorm1d(1))
    module.register_buffer("outer", torch.ones(1), persistent=False)
    module[0].register_buffer("inner", torch.ones(1), persistent=False)
    module[0].register_buffer("absent", None, persistent=False)

    assert list(hidden_module_state(module)) == ["training", "outer", "0.inner"]


def test_hidden_values_are_copies() -> None:
    module = nn.Linear(1, 1)
    module.register_buffer("cache", torch.ones(1), persistent=False)
    module.weight.grad = torch.ones(1, 1)
    hidden = hidden_module_state(module)

    module.weight.grad.zero_()
    module.get_buffer("cache").zero_()
    module.eval()

    assert (hidden["cache"].item(), hidden["weight.grad"].item(), hidden["training"]["itself"]) == (1, 1, True)


def test_strides_are_told_where_they_are_not_the_usual_ones() -> None:
    module = nn.Conv2d(2, 3, 2).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    hidden = hidden_module_state(module)

    assert hidden["weight.strides"] == [8, 1, 4, 2]
    assert "bias.strides" not in hidden


def test_lazy_and_meta_modules_can_be_read() -> None:
    module = nn.Sequential(nn.LazyLinear(1), nn.Linear(1, 1, device="meta"))

    assert list(hidden_module_state(module)) == ["training"]
    assert _traits(module)["0.weight"] == {"requires_grad": True, "class": "UninitializedParameter"}
