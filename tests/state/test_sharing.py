"""Who shares storage with whom, and which names are one object."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pytest_ckpt.state.members import members_of
from pytest_ckpt.state.naming import parameter_names
from pytest_ckpt.state.sharing import sharing_groups


def groups(**components: object) -> dict[str, tuple[str, ...]]:
    modules = members_of(components)
    return sharing_groups(components, modules, parameter_names(modules))


def holding(**tensors: torch.Tensor) -> nn.Module:
    module = nn.Module()
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor)
    return module


def test_unrelated_tensors_are_in_no_group() -> None:
    assert groups(model=nn.Linear(2, 2), other=nn.Linear(2, 2)) == {}


def test_views_share_wherever_they_begin() -> None:
    base = torch.arange(6.0)

    assert groups(model=holding(head=base[:2], tail=base[4:])) == {
        "model.head storage": ("model.tail",),
        "model.tail storage": ("model.head",),
    }


def test_a_buffer_with_two_names_is_one_object() -> None:
    table = torch.ones(2)

    assert groups(model=holding(one=table, two=table)) == {
        "model.one storage": ("model.two",),
        "model.two storage": ("model.one",),
        "model.one object": ("model.two",),
        "model.two object": ("model.one",),
    }


def test_sharing_is_seen_across_components() -> None:
    model = nn.Linear(1, 1, bias=False)

    assert groups(a=model, b=nn.Sequential(model)) == {
        "a.weight storage": ("b.0.weight",),
        "b.0.weight storage": ("a.weight",),
        "a.weight object": ("b.0.weight",),
        "b.0.weight object": ("a.weight",),
    }


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_tensors_without_storage_share_none() -> None:
    from torch.testing._internal.two_tensor import TwoTensor

    empty = torch.ones(1)[:0]
    wrapped = TwoTensor(torch.ones(1), torch.ones(1))
    tensors = {
        "empty": empty,
        "empty_too": empty[:0],
        "meta": torch.ones(1, device="meta"),
        "meta_too": torch.ones(1, device="meta"),
        "csr": torch.eye(2).to_sparse_csr(),
        "wrapped": wrapped,
        "wrapped_too": TwoTensor(wrapped.a, wrapped.b),
        "lazy": nn.UninitializedBuffer(),
        "lazy_too": nn.UninitializedBuffer(),
    }

    assert groups(model=holding(**tensors)) == {}


def test_an_optimizer_of_other_parameters_is_told() -> None:
    model = nn.Linear(1, 1)
    old = [nn.Parameter(p.detach()) for p in model.parameters()]
    optimizer = torch.optim.SGD([{"params": [old[0]]}, {"params": [model.bias, old[1]]}], lr=0.1)

    assert groups(model=model, optimizer=optimizer)["optimizer parameters"] == ("#0", "#2")
    assert groups(model=model, optimizer=torch.optim.SGD(model.parameters()))["optimizer parameters"] == ()


def test_without_a_module_no_parameter_is_foreign() -> None:
    assert groups(optimizer=torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)) == {}
