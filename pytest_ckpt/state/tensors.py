"""A tensor of any kind as plain dense parts, and frozen copies of tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.parameter import is_lazy

__all__ = ["dense_parts", "describe_tensor", "freeze_tensor", "is_initialized"]


def is_initialized(tensor: torch.Tensor) -> bool:
    """Whether a tensor has data.

    The parameters of a lazy module have none before the first forward, and neither has a tensor whose memory was
    given back, as fully_shard does between uses.
    """
    return not (is_lazy(tensor) or tensor.is_meta or _is_freed(tensor))


def _is_freed(tensor: torch.Tensor) -> bool:
    """Whether ``untyped_storage().resize_(0)`` took away what a plain tensor shows: reading it ends the process."""
    return (
        type(tensor) in _PLAIN
        and tensor.layout is torch.strided
        and not tensor.is_nested
        and tensor.numel() > 0
        and tensor.untyped_storage().nbytes() == 0
        and not tensor.is_meta
    )


_PLAIN = (torch.Tensor, torch.nn.Parameter)


def freeze_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """Return a detached copy that shares nothing with ``tensor`` and keeps layout, dtype and class.

    The copy of a tensor whose memory was given back is on the device ``meta``, which has no data either.
    """
    if _is_freed(tensor):
        return tensor.detach().to("meta")
    return tensor.detach().clone()


def describe_tensor(tensor: torch.Tensor) -> str:
    """Describe a tensor's dtype, shape and, where it is not plain, its layout and class."""
    if is_lazy(tensor):
        return "an uninitialized lazy parameter"
    dtype = str(tensor.dtype).removeprefix("torch.")
    text = f"{dtype} {_shape(tensor)}"
    if tensor.layout is not torch.strided:
        text += f" {str(tensor.layout).removeprefix('torch.')}"
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        text += f" {type(tensor).__name__}"
    if tensor.device.type == "meta":
        text += " on meta (no data)"
    elif _is_freed(tensor):
        text += " without memory"
    return text


def _shape(tensor: torch.Tensor) -> str:
    if tensor.is_nested:
        return "(nested)"
    return str(tuple(tensor.shape))


def dense_parts(tensor: torch.Tensor, name: str = "") -> Iterator[tuple[str, torch.Tensor | str]]:
    """Yield what a tensor is made of: plain dense contiguous CPU tensors, and strings for what is not data.

    Two tensors are the same bit for bit exactly when these sequences are. Sparse tensors are not
    coalesced first: two orders of the same entries are two states.
    """
    if is_lazy(tensor):
        yield f"{name}.class", type(tensor).__name__
    elif tensor.device.type == "meta" or _is_freed(tensor):
        yield f"{name}.meta", str(tuple(tensor.shape))
    elif hasattr(type(tensor), "__tensor_flatten__"):
        yield from _subclass_parts(tensor.detach(), name)  # Whether it requires a gradient is no data.
    elif tensor.layout in _SPARSE_PARTS:
        for part in _SPARSE_PARTS[tensor.layout]:
            yield from dense_parts(getattr(tensor, part)(), f"{name}.{part.removeprefix('_')}")
    elif tensor.is_quantized:
        yield from _quantized_parts(tensor, name)
    elif tensor.is_nested:
        for index, item in enumerate(tensor.unbind()):
            yield from dense_parts(item, f"{name}[{index}]")
    else:
        yield name, plain_bytes_view(tensor)


_SPARSE_PARTS: dict[torch.layout, tuple[str, ...]] = {
    torch.sparse_coo: ("_indices", "_values"),
    torch.sparse_csr: ("crow_indices", "col_indices", "values"),
    torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_bsr: ("crow_indices", "col_indices", "values"),
    torch.sparse_bsc: ("ccol_indices", "row_indices", "values"),
}


def _subclass_parts(tensor: torch.Tensor, name: str) -> Iterator[tuple[str, torch.Tensor | str]]:
    # The protocol of traceable wrapper subclasses, DTensor among them.
    flatten: Any = tensor.__tensor_flatten__  # type: ignore[attr-defined]
    inner_names, context = flatten()
    yield f"{name}.context", f"{type(tensor).__name__} {context!r}"
    for inner in inner_names:
        part, part_name = getattr(tensor, inner), f"{name}.{inner.removeprefix('_')}"
        if isinstance(part, torch.Tensor):
            yield from dense_parts(part, part_name)
        else:
            yield part_name, repr(part)  # such as the mesh of a DTensor


def _quantized_parts(tensor: torch.Tensor, name: str) -> Iterator[tuple[str, torch.Tensor | str]]:
    yield f"{name}.qscheme", str(tensor.qscheme())
    yield f"{name}.int_repr", plain_bytes_view(tensor.int_repr())
    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        yield f"{name}.scale", repr((tensor.q_scale(), tensor.q_zero_point()))
    else:
        yield f"{name}.axis", str(tensor.q_per_channel_axis())
        yield f"{name}.scales", plain_bytes_view(tensor.q_per_channel_scales())
        yield f"{name}.zero_points", plain_bytes_view(tensor.q_per_channel_zero_points())


def plain_bytes_view(tensor: torch.Tensor) -> torch.Tensor:
    """Return a dense tensor as a contiguous CPU tensor in logical order, conj and neg bits resolved."""
    with torch.no_grad():
        return tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
