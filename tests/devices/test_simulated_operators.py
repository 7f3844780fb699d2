"""Operators on simulated devices: whatever works on the CPU works there, and what mixes devices raises."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from pytest_ckpt.devices import world

pytest.importorskip("expecttest", reason="torch's own samples of operators need it")

from torch.testing._internal.common_methods_invocations import op_db

# Importing the samples forbids everyone to set flags such as those of cudnn.
torch.backends.flags_frozen.__globals__["__allow_nonbracketed_mutation_flag"] = True

DEVICE = torch.device("cuda:1")
SAMPLES = 2
# Every so many operators in the normal suite.
STRIDE = 20
# As on real devices: only sizes of the other tensor are read, or it may be an index or a length on the CPU.
MAY_MIX = frozenset(
    {
        "broadcast_tensors",
        "expand_as",
        "index_put",
        "nn_functional_ctc_loss",
        "reshape_as",
        "resize_as_",
        "tensor_split",
        "view_as",
    }
)


def dtype_of(op: Any) -> torch.dtype:
    preferred = (torch.float32, torch.complex64, torch.int64, torch.bool)
    return next((d for d in preferred if d in op.dtypes), torch.float32)


def samples(op: Any, device: str) -> Iterator[Any]:
    torch.manual_seed(1)
    dtype = dtype_of(op)
    gradients = op.supports_autograd and dtype in (torch.float32, torch.complex64)
    return itertools.islice(op.sample_inputs(device, dtype, requires_grad=gradients), SAMPLES)


def tensors(value: Any) -> list[torch.Tensor]:
    leaves: list[Any] = tree_flatten(value)[0]
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]


def run(op: Any, device: str) -> list[torch.Tensor]:
    found = []
    for sample in samples(op, device):
        results = tensors(op(sample.input, *sample.args, **sample.kwargs))
        found += results
        moved = [t for t in results if t.requires_grad and t.is_floating_point()]
        inputs = [t for t in tensors([sample.input, sample.args, sample.kwargs]) if t.requires_grad]
        if moved and inputs:
            gradients: Any = torch.autograd.grad([t.sum() for t in moved], inputs, allow_unused=True)
            found += [g for g in gradients if g is not None]
    return found


def outcome(function: Callable[[], list[torch.Tensor]]) -> list[torch.Tensor] | str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function()
        except Exception as error:
            return f"{type(error).__name__}: {error}"


def problems(op: Any) -> Iterator[str]:
    """Compare an operator on a simulated device with itself on the CPU."""
    plain = outcome(lambda: run(op, "cpu"))
    with world(DEVICE):
        simulated = outcome(lambda: run(op, str(DEVICE)))
        if isinstance(plain, str):
            return
        if isinstance(simulated, str):
            yield f"{op.formatted_name}: {simulated}"
            return
        if elsewhere := {str(t.device) for t in simulated} - {str(DEVICE)}:
            yield f"{op.formatted_name}: results on {elsewhere}"
        if [t.shape for t in plain] != [t.shape for t in simulated]:
            yield f"{op.formatted_name}: other shapes"


def unnoticed(op: Any) -> Iterator[str]:
    """Move one tensor at a time of an operator's arguments to the CPU."""
    for sample in samples(op, str(DEVICE)):
        leaves, spec = tree_flatten([sample.input, list(sample.args), sample.kwargs])
        places = [i for i, leaf in enumerate(leaves) if _has_dimensions(leaf)]
        for place in places[1:]:
            mixed = [leaf.cpu() if i == place else leaf for i, leaf in enumerate(leaves)]
            first, rest, options = tree_unflatten(mixed, spec)
            result = outcome(lambda first=first, rest=rest, options=options: op(first, *rest, **options))  # type: ignore[misc]
            if not isinstance(result, str) or "device" not in result:
                yield f"{op.formatted_name}, argument {place}: {result if isinstance(result, str) else 'no error'}"


def _has_dimensions(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.dim() > 0 and leaf.layout == torch.strided


def named(*, but: frozenset[str] = frozenset()) -> list[Any]:
    # Jiterator compiles for real accelerators.
    return [op for op in op_db if op.formatted_name not in but and not op.formatted_name.startswith("jiterator")]


def test_operators_work_on_a_simulated_device() -> None:
    assert [problem for op in named()[::STRIDE] for problem in problems(op)] == []


@pytest.mark.thorough
def test_every_operator_works_on_a_simulated_device() -> None:
    assert [problem for op in named() for problem in problems(op)] == []


def test_operators_on_two_devices_raise() -> None:
    with world(DEVICE), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [problem for op in named(but=MAY_MIX)[::STRIDE] for problem in unnoticed(op)] == []


@pytest.mark.thorough
def test_every_operator_on_two_devices_raises() -> None:
    with world(DEVICE), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [problem for op in named(but=MAY_MIX) for problem in unnoticed(op)] == []


def test_these_may_mix_devices() -> None:
    """Guards the list of exceptions: each of them does take a tensor of the CPU."""
    with world(DEVICE):
        assert {op.formatted_name for op in op_db if op.formatted_name in MAY_MIX and list(unnoticed(op))} == MAY_MIX


ONE: Any = {"device": "cuda:0"}
TWO: Any = {"device": "cuda:1"}
MUST_RAISE: dict[str, Callable[[], Any]] = {
    "a + b": lambda: torch.ones(2, **TWO) + torch.ones(2),
    "a + b, both simulated": lambda: torch.ones(2, **TWO) + torch.ones(2, **ONE),
    "a += b": lambda: torch.ones(2, **TWO).add_(torch.ones(2)),
    "number on the CPU += number on the device": lambda: torch.tensor(0.0).add_(torch.ones((), **TWO)),
    "tensor on the CPU + number on the device": lambda: torch.ones(2) + torch.ones((), **TWO),
    "linear": lambda: torch.nn.Linear(2, 2)(torch.ones(1, 2, **TWO)),
    "matmul": lambda: torch.ones(2, 2) @ torch.ones(2, 2, **TWO),
    "embedding": lambda: torch.nn.Embedding(3, 2).to("cuda:1")(torch.tensor([1])),
    "embedding of one": lambda: torch.nn.Embedding(3, 2).to("cuda:1")(torch.tensor(1)),
    "cross entropy": lambda: torch.nn.functional.cross_entropy(torch.ones(2, 3, **TWO), torch.tensor([0, 1])),
    "batch norm": lambda: torch.nn.BatchNorm1d(2)(torch.ones(3, 2, **TWO)),
    "cat": lambda: torch.cat([torch.ones(2), torch.ones(2, **TWO)]),
    "stack of numbers": lambda: torch.stack([torch.tensor(0.0), torch.ones((), **TWO)]),
    "mask": lambda: torch.ones(2)[torch.ones(2, **TWO) > 0],
    "index on the device into the CPU": lambda: torch.ones(2)[torch.tensor([0], **TWO)],
    "index_select": lambda: torch.ones(2, **TWO).index_select(0, torch.tensor([0])),
    "gather": lambda: torch.ones(2, **TWO).gather(0, torch.tensor([0])),
    "where": lambda: torch.where(torch.ones(2) > 0, torch.ones(2, **TWO), torch.zeros(2, **TWO)),
    "equal": lambda: torch.equal(torch.ones(2), torch.ones(2, **TWO)),
    "lerp of an average": lambda: torch.ones(2).lerp_(torch.ones(2, **TWO), 0.1),
    "legacy constructor": lambda: torch.Tensor(2) + torch.ones(2, **TWO),
    "one_hot": lambda: torch.nn.functional.one_hot(torch.tensor([0, 1])) * torch.ones(2, 2, **TWO),
    "normal": lambda: torch.normal(torch.zeros(2), torch.ones(2, **TWO)),
    "gradient": lambda: setattr(torch.ones(2, **TWO), "grad", torch.ones(2)),
    "a list, by position": lambda: torch._foreach_add([torch.ones(2, **TWO)], [torch.ones(2)]),
    "fused kernel with its step on the CPU": lambda: fused_step_on_cpu(),
    "attention mask": lambda: attend(attn_mask=torch.zeros(2, 2)),
    "generator": lambda: torch.rand(2, **TWO, generator=torch.Generator()),
    "numpy": lambda: torch.ones(2, **TWO).numpy(),
    "device that is not there": lambda: torch.ones(2, device="cuda:2"),
    "kind that is not there": lambda: torch.ones(2).to("xpu"),
}


def attend(**options: Any) -> torch.Tensor:
    x = torch.ones(1, 2, 2, **TWO)
    return torch.nn.functional.scaled_dot_product_attention(x, x, x, **options)


def fused_step_on_cpu() -> None:
    parameter = torch.nn.Parameter(torch.ones(2, **TWO))
    optimizer = torch.optim.Adam([parameter], fused=True)
    parameter.sum().backward()
    optimizer.step()
    optimizer.state[parameter]["step"] = optimizer.state[parameter]["step"].cpu()
    optimizer.step()


@pytest.mark.parametrize("name", MUST_RAISE)
def test_this_raises(name: str) -> None:
    with world(DEVICE), pytest.raises((AssertionError, NotImplementedError, RuntimeError, TypeError)):
        MUST_RAISE[name]()


MAY: dict[str, Callable[[], Any]] = {
    "number from the CPU": lambda: torch.ones(2, **TWO) * torch.tensor(2.0),
    "number into a mask": lambda: torch.ones(2, **TWO).masked_fill_(torch.ones(2, **TWO) > 0, torch.tensor(1.0)),
    "index from the CPU": lambda: torch.ones(2, **TWO)[torch.tensor([0])],
    "copy": lambda: torch.ones(2, **TWO).copy_(torch.zeros(2)),
    "assignment of a row": lambda: torch.ones(2, 2, **TWO).__setitem__(0, torch.zeros(2)),
    "median": lambda: torch.quantile(torch.ones(4, **TWO), 0.5) + torch.ones(1, **TWO),
    "combinations": lambda: torch.combinations(torch.ones(4, **TWO)) + torch.ones(2, **TWO),
    "attention": lambda: attend(is_causal=True),
}


@pytest.mark.parametrize("name", MAY)
def test_this_is_allowed_as_on_a_real_device(name: str) -> None:
    with world(DEVICE):
        result = MAY[name]()

        assert result is None or result.device == DEVICE


def test_the_error_is_torchs_own_and_says_that_the_devices_are_simulated() -> None:
    with world(DEVICE), pytest.raises(RuntimeError) as caught:
        torch.ones(2, device="cuda:1") + torch.ones(2)

    assert str(caught.value) == (
        "Expected all tensors to be on the same device, but found at least two devices, cuda:1 and cpu! "
        "(in add, on simulated devices)"
    )
