"""``state_dicts()``: what modules and optimizers hand over."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from hypothesis import event
from hypothesis import strategies as st

from pytest_ckpt.strategies.state.drawing import Numbers, draw_numbers
from pytest_ckpt.strategies.state.tensors import tensors
from pytest_ckpt.strategies.state.values import plain_values

__all__ = ["module_state_dicts", "optimizer_state_dicts", "state_dicts"]

_MODULES = ("", "layer.", "layer.0.", "layer.1.", "a_b.c.")
_PARAMETERS = ("weight", "bias", "running_mean")
_RATES = (0.0, 1e-3, 0.1, 5e-324, float("inf"))


def state_dicts(
    tensors: st.SearchStrategy[torch.Tensor] | None = None, *, max_size: int = 4
) -> st.SearchStrategy[dict[str, Any]]:
    """Generate state dicts as modules and optimizers have them.

    Shrinks towards the state dict of a module without parameters.

    Args:
        tensors: What the tensors are drawn from; by default from all of them.
        max_size: How many parameters there are at most, each with up to two tensors of state in an optimizer's.
    """
    return module_state_dicts(tensors, max_size=max_size) | optimizer_state_dicts(tensors, max_size=max_size)


def module_state_dicts(
    tensors: st.SearchStrategy[torch.Tensor] | None = None,
    *,
    min_size: int = 0,
    max_size: int = 4,
    allow_sharing: bool = True,
    allow_extra_state: bool = True,
) -> st.SearchStrategy[OrderedDict[str, Any]]:
    """Generate ordered mappings of dotted names to tensors, with ``_metadata`` as ``nn.Module`` adds it.

    Shrinks towards an empty mapping.

    Args:
        tensors: What the tensors are drawn from; by default from all of them.
        min_size: How many tensors there are at least.
        max_size: And at most.
        allow_sharing: Whether several names may mean one tensor, or tensors on one storage.
        allow_extra_state: Whether modules may have what ``get_extra_state()`` returned.
    """
    return _module_state_dicts(_or_all(tensors), min_size, max_size, allow_sharing, allow_extra_state)


def optimizer_state_dicts(
    tensors: st.SearchStrategy[torch.Tensor] | None = None, *, max_size: int = 4
) -> st.SearchStrategy[dict[str, Any]]:
    """Generate mappings with the ``state`` and the ``param_groups`` of an optimizer.

    Shrinks towards an optimizer without state that has one group without parameters.

    Args:
        tensors: What the moments are drawn from; by default from all tensors.
        max_size: How many parameters there are at most.
    """
    return _optimizer_state_dicts(_or_all(tensors), max_size)


def _or_all(given: st.SearchStrategy[torch.Tensor] | None) -> st.SearchStrategy[torch.Tensor]:
    return tensors() if given is None else given


@st.composite
def _module_state_dicts(
    draw: st.DrawFn,
    tensors: st.SearchStrategy[torch.Tensor],
    min_size: int,
    max_size: int,
    allow_sharing: bool,
    allow_extra_state: bool,
) -> OrderedDict[str, Any]:
    event("state dict: of a module")
    numbers = draw_numbers(draw)
    state: OrderedDict[str, Any] = OrderedDict()
    for _ in range(min_size + numbers.below(max_size - min_size + 1)):
        again = numbers.below(2) == 1 and bool(state) and allow_sharing
        tensor = _again(numbers, list(state.values())) if again else draw(tensors)
        state[_new_name(numbers, state)] = tensor
    modules = ["", *sorted({name.rpartition(".")[0] for name in state} - {""})]
    if allow_extra_state and numbers.below(3) == 2:
        owner = modules[numbers.below(len(modules))]
        state[f"{owner}._extra_state" if owner else "_extra_state"] = {"step": draw(plain_values())}
    state._metadata = OrderedDict(  # type: ignore[attr-defined]
        (name, {"version": numbers.below(3)}) for name in modules
    )
    return state


def _new_name(numbers: Numbers, taken: Collection[str]) -> str:
    name = _MODULES[numbers.below(len(_MODULES))] + _PARAMETERS[numbers.below(len(_PARAMETERS))]
    return name if name not in taken else f"{name}_{len(taken)}"


def _again(numbers: Numbers, earlier: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return a tensor that was drawn before, as tied weights are, or one on its storage."""
    tensor = earlier[numbers.below(len(earlier))]
    return _AGAIN[numbers.below(len(_AGAIN))](tensor)


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def _detached(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach()


def _part(tensor: torch.Tensor) -> torch.Tensor:
    sliceable = tensor.layout is torch.strided and not tensor.is_quantized and tensor.dim() and tensor.shape[0]
    return tensor.detach()[-1:] if sliceable else tensor.detach()


_AGAIN: list[Callable[[torch.Tensor], torch.Tensor]] = [_same, _detached, _part]


@st.composite
def _optimizer_state_dicts(draw: st.DrawFn, tensors: st.SearchStrategy[torch.Tensor], max_size: int) -> dict[str, Any]:
    event("state dict: of an optimizer")
    numbers = draw_numbers(draw)
    count = numbers.below(max_size + 1)
    # A parameter that never got a gradient has no state.
    state = {index: _moments(draw, numbers, tensors) for index in range(count) if numbers.below(2)}
    cut = numbers.below(count + 1)
    members = [list(range(cut, count)), list(range(cut))] if cut else [list(range(count))]
    return {"state": state, "param_groups": [_group(numbers, indices) for indices in members]}


def _moments(draw: st.DrawFn, numbers: Numbers, tensors: st.SearchStrategy[torch.Tensor]) -> dict[str, Any]:
    names = (["momentum_buffer"], ["exp_avg"], ["exp_avg", "exp_avg_sq"], [])[numbers.below(4)]
    if not names:
        return {"momentum_buffer": None}
    step = torch.tensor(float(numbers.below(256)), dtype=torch.float32, device="cpu")
    return {"step": step, **{name: draw(tensors) for name in names}}


def _group(numbers: Numbers, indices: list[int]) -> dict[str, Any]:
    rate = _RATES[numbers.below(len(_RATES))]
    amsgrad = numbers.below(2) == 1
    return {"lr": rate, "betas": (0.9, rate), "foreach": None, "amsgrad": amsgrad, "params": indices}
