"""Content that arrives in another form: cut, joined, turned round, in a wider dtype."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping

import torch

from pytest_ckpt.golden.prints import is_dense
from pytest_ckpt.state.tensors import plain_bytes_view

__all__ = ["find_converted"]

_LARGEST = 1 << 26  # bytes: searching in larger ones takes seconds
_SMALLEST = 4  # elements: fewer are found anywhere by chance


def find_converted(
    lost: Mapping[str, torch.Tensor], taken: Mapping[str, torch.Tensor]
) -> Iterator[tuple[str, str, str]]:
    """Yield what was lost but is there in another form: its path, where it is now, and what became of it.

    Args:
        lost: Tensors of the checkpoint that are nowhere as they were.
        taken: Tensors that ``load`` has changed.
    """
    dense = {name: tensor for name, tensor in taken.items() if is_dense(tensor) and 0 < tensor.nbytes <= _LARGEST}
    for path, tensor in lost.items():
        if not is_dense(tensor) or not tensor.numel() or tensor.nbytes > _LARGEST:
            continue
        large = tensor.numel() >= _SMALLEST
        names = sorted(dense, key=lambda name: name != path) if large else [path] if path in dense else []
        found = next(((name, how) for name in names if (how := _how(tensor, dense[name]))), None)
        if found is not None:
            yield path, *found
        elif parts := _parts(tensor, dense) if large else []:
            yield path, parts[0], f"cut into {len(parts)}: {', '.join(parts)}"


def _how(old: torch.Tensor, new: torch.Tensor) -> str:
    if old.dtype != new.dtype:
        if old.shape != new.shape or old.is_complex() != new.is_complex():
            return ""
        if torch.equal(new.to(old.dtype), old):
            return "in another dtype, with the same values"
        return ROUNDED if torch.equal(old.to(new.dtype), new) else ""
    if old.numel() == new.numel():
        same = torch.equal(old.flatten().sort().values, new.flatten().sort().values) if _sorts(old) else False
        return "in another shape" if same else ""
    fits = old.ndim == new.ndim and all(a <= b for a, b in zip(old.shape, new.shape, strict=True))
    if fits and torch.equal(new[tuple(slice(size) for size in old.shape)], old):
        return "with more beside it"
    return "joined with others" if old.numel() < new.numel() and _raw(old) in _raw(new) else ""


ROUNDED = "rounded to another dtype"


def _sorts(tensor: torch.Tensor) -> bool:
    return not tensor.is_complex() and not (tensor.is_floating_point() and bool(tensor.isnan().any()))


def _parts(old: torch.Tensor, taken: Mapping[str, torch.Tensor]) -> list[str]:
    """Return the tensors that together hold all of one."""
    raw = _raw(old)
    names = [
        name for name, new in taken.items() if new.dtype == old.dtype and new.numel() >= _SMALLEST and _raw(new) in raw
    ]
    return names if sum(taken[name].numel() for name in names) == old.numel() else []


def _raw(tensor: torch.Tensor) -> bytes:
    plain = plain_bytes_view(tensor)
    return ctypes.string_at(plain.data_ptr(), plain.nbytes)
