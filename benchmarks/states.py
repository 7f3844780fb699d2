"""Large states to compare, and the memcmp that nothing exact can beat."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

import torch

__all__ = ["compare_by_assert_close", "compare_by_equal", "compare_by_memcmp", "copy_of", "gpt2_like", "many_small"]

State = dict[str, torch.Tensor]

_memcmp = ctypes.CDLL(None).memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_memcmp.restype = ctypes.c_int


def gpt2_like(*, layers: int = 24, width: int = 848, words: int = 50_257, positions: int = 1024) -> State:
    """Return 1 GB in 292 tensors with the names and proportions of GPT-2."""
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (words, width), "wpe.weight": (positions, width)}
    for layer in range(layers):
        shapes |= {f"h.{layer}.{name}": shape for name, shape in _block(width).items()}
    shapes |= {"ln_f.weight": (width,), "ln_f.bias": (width,)}
    return {name: torch.empty(shape).normal_() for name, shape in shapes.items()}


def _block(width: int) -> dict[str, tuple[int, ...]]:
    return {
        "ln_1.weight": (width,),
        "ln_1.bias": (width,),
        "attn.c_attn.weight": (width, 3 * width),
        "attn.c_attn.bias": (3 * width,),
        "attn.c_proj.weight": (width, width),
        "attn.c_proj.bias": (width,),
        "ln_2.weight": (width,),
        "ln_2.bias": (width,),
        "mlp.c_fc.weight": (width, 4 * width),
        "mlp.c_fc.bias": (4 * width,),
        "mlp.c_proj.weight": (4 * width, width),
        "mlp.c_proj.bias": (width,),
    }


def many_small(count: int = 60_000, elements: int = 1024) -> State:
    """Return as many tensors of 4 KB each, by default."""
    return {f"h.{index}.weight": torch.empty(elements).normal_() for index in range(count)}


def copy_of(state: Mapping[str, torch.Tensor]) -> State:
    return {name: tensor.clone() for name, tensor in state.items()}


def compare_by_memcmp(expected: State, actual: State) -> None:
    """Compare nothing but bytes, one memcmp per tensor."""
    for name, tensor in expected.items():
        if _memcmp(tensor.data_ptr(), actual[name].data_ptr(), tensor.nbytes):
            raise AssertionError(name)


def compare_by_equal(expected: State, actual: State) -> None:
    for name, tensor in expected.items():
        if not torch.equal(tensor, actual[name]):
            raise AssertionError(name)


def compare_by_assert_close(expected: State, actual: State) -> None:
    for name, tensor in expected.items():
        torch.testing.assert_close(actual[name], tensor, rtol=0, atol=0, equal_nan=True)
