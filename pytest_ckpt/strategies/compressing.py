"""Sparse tensors: where elements are is drawn as numbers of cells, so that no draw is ever invalid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod

import torch
from hypothesis import strategies as st

from pytest_ckpt.strategies.drawing import draw_numbers
from pytest_ckpt.strategies.striding import Fill, Shape

__all__ = ["coalesced", "compressed", "uncoalesced"]

_MAX_ENTRIES = 5


def coalesced(draw: st.DrawFn, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a COO tensor with sorted entries, and some of its last dimensions dense."""
    sparse = _sparse_dims(draw, shape)
    return _coo(dtype, shape, sparse, sorted(set(_draw_cells(draw, prod(shape[:sparse])))), fill, is_coalesced=True)


def uncoalesced(draw: st.DrawFn, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a COO tensor with entries in any order, some of them for the same place."""
    sparse = _sparse_dims(draw, shape)
    return _coo(dtype, shape, sparse, _draw_cells(draw, prod(shape[:sparse])), fill, is_coalesced=False)


def compressed(layout: torch.layout, draw: st.DrawFn, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a matrix compressed by row or by column, of single elements or of blocks."""
    block = _draw_block(draw, shape) if layout in (torch.sparse_bsr, torch.sparse_bsc) else (1, 1)
    rows, columns = (size // side for size, side in zip(shape, block, strict=True))
    if layout in (torch.sparse_csc, torch.sparse_bsc):
        rows, columns = columns, rows
    cells = sorted(set(_draw_cells(draw, rows * columns)))
    ends = accumulate((sum(cell // columns == row for cell in cells) for row in range(rows)), initial=0)
    inner = (len(cells), *block) if layout in (torch.sparse_bsr, torch.sparse_bsc) else (len(cells),)
    return torch.sparse_compressed_tensor(
        _indices(list(ends)),
        _indices([cell % columns for cell in cells]),
        fill(dtype, prod(inner)).view(inner),
        shape,
        layout=layout,
        device="cpu",
        check_invariants=True,
    )


def _sparse_dims(draw: st.DrawFn, shape: Shape) -> int:
    (dense,) = draw_numbers(draw, 1, len(shape))
    return len(shape) - dense


def _draw_cells(draw: st.DrawFn, cells: int) -> list[int]:
    (count,) = draw_numbers(draw, 1, _MAX_ENTRIES + 1)
    # Two bytes for each: there may be more than 256 cells.
    numbers = draw_numbers(draw, 2 * count, 256) if cells else []
    return [(256 * high + low) % cells for high, low in zip(numbers[::2], numbers[1::2], strict=True)]


def _draw_block(draw: st.DrawFn, shape: Shape) -> tuple[int, int]:
    divisors = [[side for side in range(1, size + 1) if size % side == 0] or [1] for size in shape]
    numbers = draw_numbers(draw, 2, 256)
    first, second = (sides[number % len(sides)] for sides, number in zip(divisors, numbers, strict=True))
    return first, second


def _coo(
    dtype: torch.dtype, shape: Shape, sparse: int, cells: Sequence[int], fill: Fill, *, is_coalesced: bool
) -> torch.Tensor:
    places = []
    rest = list(cells)
    for size in reversed(shape[:sparse]):
        places.append([cell % size for cell in rest])
        rest = [cell // size for cell in rest]
    inner = (len(cells), *shape[sparse:])
    return torch.sparse_coo_tensor(
        _indices(places[::-1]).reshape(sparse, len(cells)),
        fill(dtype, prod(inner)).view(inner),
        shape,
        device="cpu",
        check_invariants=True,
        is_coalesced=is_coalesced,
    )


def _indices(numbers: Sequence[int] | Sequence[list[int]]) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.int64, device="cpu")
