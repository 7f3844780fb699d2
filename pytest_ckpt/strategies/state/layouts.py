"""Where the elements of a tensor are: strides, views, sparse and quantized tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

import torch

from pytest_ckpt.strategies.state import compressing, quantizing, striding
from pytest_ckpt.strategies.state.drawing import Numbers
from pytest_ckpt.strategies.state.dtypes import DTYPES_BY_KIND
from pytest_ckpt.strategies.state.striding import Fill, Shape

__all__ = ["LAYOUTS", "LAYOUTS_BY_NAME", "STRIDED_LAYOUTS", "Layout"]

_Make: TypeAlias = Callable[[Numbers, torch.dtype, Shape, Fill], torch.Tensor]

_ORDINARY = tuple(dtype for kind in ("float", "int", "bool", "complex") for dtype in DTYPES_BY_KIND[kind])
_COMPLEX = DTYPES_BY_KIND["complex"]
_REAL_PARTS = tuple(dtype.to_real() for dtype in _COMPLEX)


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """One way to arrange elements.

    Attributes:
        make: Makes a tensor of a dtype and a shape that fit.
        dtypes: What its elements can be.
        min_dims: How many dimensions it takes at least.
        max_dims: And at most.
    """

    make: _Make
    dtypes: tuple[torch.dtype, ...] = _ORDINARY
    min_dims: int = 0
    max_dims: int = 64

    def fits(self, dtype: torch.dtype, min_dims: int, max_dims: int) -> bool:
        """Whether there are tensors of that dtype with so many dimensions."""
        return dtype in self.dtypes and self.min_dims <= max_dims and min_dims <= self.max_dims


_strided = {
    "contiguous": Layout(make=striding.contiguous),
    "channels_last": Layout(make=striding.channels_last, min_dims=4, max_dims=5),
    "transposed": Layout(make=striding.transposed, min_dims=2),
    "sliced": Layout(make=striding.sliced),
    "expanded": Layout(make=striding.expanded, min_dims=1),
    "overlapping": Layout(make=striding.overlapping, min_dims=2),
}
_matrix = partial(Layout, min_dims=2, max_dims=2)
_quantized = partial(Layout, dtypes=DTYPES_BY_KIND["quantized"])

LAYOUTS_BY_NAME: Mapping[str, Layout] = MappingProxyType(
    {
        **_strided,
        "conjugated": Layout(make=striding.conjugated, dtypes=_COMPLEX),
        "negated": Layout(make=striding.negated, dtypes=_REAL_PARTS),
        "sparse_coo": Layout(make=compressing.coalesced, min_dims=1),
        "sparse_coo_uncoalesced": Layout(make=compressing.uncoalesced, min_dims=1),
        "sparse_csr": _matrix(make=partial(compressing.compressed, torch.sparse_csr)),
        "sparse_csc": _matrix(make=partial(compressing.compressed, torch.sparse_csc)),
        "sparse_bsr": _matrix(make=partial(compressing.compressed, torch.sparse_bsr)),
        "sparse_bsc": _matrix(make=partial(compressing.compressed, torch.sparse_bsc)),
        "quantized_per_tensor": _quantized(make=quantizing.per_tensor),
        "quantized_per_channel": _quantized(make=quantizing.per_channel, min_dims=1),
    }
)

STRIDED_LAYOUTS: tuple[str, ...] = tuple(_strided)
"""The layouts of which any format keeps at least the values."""

LAYOUTS: tuple[str, ...] = tuple(LAYOUTS_BY_NAME)
"""The names of all layouts, simplest first."""
