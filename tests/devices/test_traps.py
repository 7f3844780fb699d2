"""What went wrong on the way to devices that are simulated; each stays mended."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from pytest_ckpt.devices import world
from pytest_ckpt.devices.labels import Labels
from pytest_ckpt.devices.machine import LABELS

DEVICE = "cuda:1"


def test_labels_outlive_the_python_object_of_a_storage() -> None:
    with world(DEVICE):
        tensor = torch.ones(3, device=DEVICE)
        del tensor.untyped_storage().__dict__  # what is kept on the object itself is lost with it
        gc.collect()

        assert str(tensor.device) == DEVICE


def test_the_address_of_a_storage_that_is_gone_is_not_taken_for_its_device() -> None:
    with world(DEVICE):
        for _ in range(200):
            gone = torch.ones(64, device=DEVICE)
            del gone

            assert str(torch.ones(64).device) == "cpu"


def test_labels_of_storages_that_are_gone_are_swept_out() -> None:
    labels = Labels()
    kept = torch.ones(1)
    labels.put_tensor(kept, torch.device(DEVICE))
    for _ in range(20_000):
        labels.put_tensor(torch.ones(1), torch.device(DEVICE))

    assert len(labels.devices) < 10_000
    assert labels.of(kept) == torch.device(DEVICE)


@pytest.mark.parametrize("name", ["tensor", "as_tensor", "asarray", "scalar_tensor"])
def test_what_is_built_below_the_modes_is_labelled(name: str) -> None:
    with world(DEVICE):
        assert str(getattr(torch, name)(1.0, device=DEVICE).device) == DEVICE


def test_a_function_that_was_imported_by_name_sees_the_world() -> None:
    tensor, zeros = torch.tensor, torch.zeros  # as `from torch import tensor, zeros` before

    with world(DEVICE):
        assert [str(made.device) for made in (tensor(1.0, device=DEVICE), zeros(2, device=DEVICE))] == [DEVICE, DEVICE]


def test_inside_functional_calls_devices_are_still_known() -> None:
    """Function modes are off there: attention makes its mask with ``device=`` and asks for ``.device``."""
    with world(DEVICE):
        attention = torch.nn.MultiheadAttention(4, 2, add_zero_attn=True).to(DEVICE)
        x = torch.ones(3, 1, 4, device=DEVICE)

        assert str(attention(x, x, x)[0].device) == DEVICE
        assert str(functional.gumbel_softmax(x).device) == DEVICE


def test_helpers_made_in_c_go_with_any_device() -> None:
    with world(DEVICE):
        x = torch.arange(4.0, device=DEVICE)

        assert str(torch.quantile(x, 0.3).device) == DEVICE
        assert str(torch.combinations(x).device) == DEVICE
        assert str(functional.one_hot(x.long()).device) == DEVICE


def test_tensors_of_the_program_are_not_taken_for_helpers() -> None:
    with world(DEVICE):
        x = torch.ones(2, 2, device=DEVICE)
        for mine in (torch.Tensor(2, 2), functional.one_hot(torch.tensor([0, 1])), torch.normal(0.0, 1.0, (2, 2))):
            with pytest.raises(RuntimeError, match="same device"):
                x + mine


def test_tensors_made_in_a_backward_of_the_program_are_not_taken_for_helpers() -> None:
    function: Any = torch.autograd.Function

    class Clashing(function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> Any:
            return gradient * torch.ones(3)

    clashing: Any = Clashing.apply
    with world(DEVICE):
        x = torch.ones(3, device=DEVICE, requires_grad=True)
        with pytest.raises(RuntimeError, match="same device"):
            clashing(x).sum().backward()


def test_gradients_made_out_of_nothing_are_on_the_device() -> None:
    with world(DEVICE):
        x = torch.ones(3, device=DEVICE, requires_grad=True)
        torch.sgn(x).sum().backward()
        assert x.grad is not None

        assert str(x.grad.device) == DEVICE
        assert (x.grad + x).tolist() == [1.0, 1.0, 1.0]


def test_a_move_inside_the_graph_carries_its_gradient_back() -> None:
    with world(DEVICE):
        x = torch.ones(3, requires_grad=True)
        (x.to(DEVICE) * 2).to("cuda:0").double().sum().backward()
        assert x.grad is not None

        assert (str(x.grad.device), x.grad.dtype) == ("cpu", torch.float32)


def test_a_move_carries_second_gradients_too() -> None:
    with world(DEVICE):
        x = torch.ones(3, requires_grad=True)
        (first,) = torch.autograd.grad(x.to(DEVICE).pow(3).sum(), x, create_graph=True)
        first.sum().backward()
        assert x.grad is not None

        assert x.grad.tolist() == [6.0, 6.0, 6.0]
        assert str(x.grad.device) == "cpu"


def test_a_kind_that_the_world_does_not_have_is_not_accepted() -> None:
    with world(DEVICE):
        one = torch.ones(1)
        moves: list[Callable[[], Any]] = [lambda: one.to("mps"), lambda: one.xpu(), lambda: torch.ones(1, device="mps")]
        for move in moves:
            with pytest.raises((AssertionError, NotImplementedError, RuntimeError)):
                move()


def test_classes_are_replaced_by_classes() -> None:
    with world(DEVICE):
        for found in (torch.Generator, torch.cuda.Stream, torch.cuda.Event, torch.UntypedStorage):
            assert isinstance(found, type)


def test_a_module_that_is_not_initialised_yet_moves() -> None:
    """Its class knows the functions of torch by identity."""
    with world(DEVICE):
        module = torch.nn.LazyLinear(2).to(DEVICE)

        assert str(module(torch.ones(1, 3, device=DEVICE)).device) == DEVICE


def test_an_operator_written_in_python_runs() -> None:
    @torch.library.custom_op("pytest_ckpt_tests::double", mutates_args=())
    def double(x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(x.shape, device=x.device) + 2 * x

    with world(DEVICE):
        assert str(double(torch.ones(2, device=DEVICE)).device) == DEVICE


def test_optimizers_group_by_simulated_device() -> None:
    """C++ would put all of them into one group, as all are on the CPU."""
    with world(DEVICE):
        parameters = [torch.nn.Parameter(torch.ones(2, device=d)) for d in ("cuda:0", "cuda:1", "cuda:0")]
        for parameter in parameters:
            parameter.grad = torch.ones_like(parameter)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        torch.optim.AdamW(parameters, foreach=True).step()

        assert [str(p.device) for p in parameters] == ["cuda:0", "cuda:1", "cuda:0"]


def test_sparse_tensors_have_a_device() -> None:
    with world(DEVICE):
        sparse = torch.eye(2, device=DEVICE).to_sparse()

        assert str(sparse.device) == str((sparse * 2).device) == str(sparse.to_dense().device) == DEVICE
        assert str(sparse.to("cpu").device) == "cpu"


def test_copies_stay_where_they_are() -> None:
    with world(DEVICE):
        module = torch.nn.Linear(2, 2).to(DEVICE)
        averaged = torch.optim.swa_utils.AveragedModel(copy.deepcopy(module))

        assert {str(p.device) for p in averaged.parameters()} == {DEVICE}
        assert {str(p.device) for p in copy.deepcopy(averaged).parameters()} == {DEVICE}


def test_batched_and_differentiated_functions_know_their_device() -> None:
    with world(DEVICE):
        x = torch.ones(3, 2, device=DEVICE)

        assert str(torch.func.vmap(lambda row: row + torch.zeros(2, device=row.device))(x).device) == DEVICE
        assert str(torch.func.grad(lambda y: (y * 2).sum())(x).device) == DEVICE


def test_what_was_made_outside_can_be_moved_inside() -> None:
    outside = torch.nn.Linear(2, 2)

    with world(DEVICE):
        assert str(outside.to(DEVICE).weight.device) == DEVICE
    assert LABELS.of(outside.weight) == torch.device(DEVICE)
