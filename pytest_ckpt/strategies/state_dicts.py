"""``state_dicts()``: what modules and optimizers hand over."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st

from pytest_ckpt.strategies.drawing import draw_numbers
from pytest_ckpt.strategies.tensors import tensors
from pytest_ckpt.strategies.values import plain_values

__all__ = ["module_state_dicts", "optimizer_state_dicts", "state_dicts"]

_PARTS = st.lists(st.sampled_from(["layer", "0", "1", "weight", "bias", "a_b"]), min_size=1, max_size=3)
_NAMES = _PARTS.map(".".join)
_RATES = st.sampled_from([0.0, 1e-3, 0.1, 5e-324, float("inf")])
_EXTRA_STATES = st.dictionaries(st.sampled_from(["step", "scale"]), plain_values(), max_size=2)


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
    names = draw(st.lists(_NAMES, min_size=min_size, max_size=max_size, unique=True))
    state: OrderedDict[str, Any] = OrderedDict()
    for name in names:
        again = bool(state) and allow_sharing and draw(st.booleans())
        state[name] = _draw_again(draw, list(state.values())) if again else draw(tensors)
    modules = ["", *sorted({name.rpartition(".")[0] for name in names} - {""})]
    if allow_extra_state and draw(st.booleans()):
        owner = draw(st.sampled_from(modules))
        state[f"{owner}._extra_state" if owner else "_extra_state"] = draw(_EXTRA_STATES)
    versions = draw_numbers(draw, len(modules), 3)
    state._metadata = OrderedDict(  # type: ignore[attr-defined]
        (name, {"version": version}) for name, version in zip(modules, versions, strict=True)
    )
    return state


def _draw_again(draw: st.DrawFn, earlier: list[torch.Tensor]) -> torch.Tensor:
    """Return a tensor that was drawn before, as tied weights are, or one on its storage."""
    tensor = draw(st.sampled_from(earlier))
    return draw(st.sampled_from(_AGAIN))(tensor)


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
    count = draw(st.integers(0, max_size))
    # A parameter that never got a gradient has no state.
    state = {index: _moments(draw, tensors) for index in range(count) if draw(st.booleans())}
    cut = draw(st.integers(0, count))
    members = [list(range(cut, count)), list(range(cut))] if cut else [list(range(count))]
    return {"state": state, "param_groups": [_group(draw, indices) for indices in members]}


def _moments(draw: st.DrawFn, tensors: st.SearchStrategy[torch.Tensor]) -> dict[str, Any]:
    step = torch.tensor(float(draw(st.integers(0, 2**24))), dtype=torch.float32, device="cpu")
    match draw(st.integers(0, 2)):
        case 0:
            return {"momentum_buffer": None}
        case 1:
            return {"step": step, "exp_avg": draw(tensors)}
    return {"step": step, "exp_avg": draw(tensors), "exp_avg_sq": draw(tensors)}


def _group(draw: st.DrawFn, indices: list[int]) -> dict[str, Any]:
    rate = draw(_RATES)
    return {"lr": rate, "betas": (0.9, rate), "foreach": None, "amsgrad": draw(st.booleans()), "params": indices}
