"""Sparse tensors: where the elements are is said by numbers of cells, so that any numbers will do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod

import torch

from pytest_ckpt.strategies.state.drawing import Numbers
from pytest_ckpt.strategies.state.striding import Fill, Shape

__all__ = ["coalesced", "compressed", "uncoalesced"]

_MAX_ENTRIES = 5


def coalesced(numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a COO tensor with sorted entries, and some of its last dimensions dense."""
    sparse = _sparse_dims(numbers, shape)
    return _coo(dtype, shape, sparse, sorted(set(_cells(numbers, prod(shape[:sparse])))), fill, is_coalesced=True)


def uncoalesced(numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a COO tensor with entries in any order, some of them for the same place."""
    sparse = _sparse_dims(numbers, shape)
    return _coo(dtype, shape, sparse, _cells(numbers, prod(shape[:sparse])), fill, is_coalesced=False)


def compressed(layout: torch.layout, numbers: Numbers, dtype: torch.dtype, shape: Shape, fill: Fill) -> torch.Tensor:
    """Make a matrix compressed by row or by column, of single elements or of blocks."""
    block = _block(numbers, shape) if layout in (torch.sparse_bsr, torch.sparse_bsc) else (1, 1)
    rows, columns = (size // side for size, side in zip(shape, block, strict=True))
    if layout in (torch.sparse_csc, torch.sparse_bsc):
        rows, columns = columns, rows
    cells = sorted(set(_cells(numbers, rows * columns)))
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


def _sparse_dims(numbers: Numbers, shape: Shape) -> int:
    return len(shape) - numbers.below(len(shape))


def _cells(numbers: Numbers, cells: int) -> list[int]:
    count = numbers.below(_MAX_ENTRIES + 1) if cells else 0
    # Two for each, because there may be more than 256 cells.
    return [(256 * high + low) % cells for high, low in (numbers.many(2, 256) for _ in range(count))]


def _block(numbers: Numbers, shape: Shape) -> tuple[int, int]:
    divisors = [[side for side in range(1, size + 1) if size % side == 0] or [1] for size in shape]
    first, second = (sides[numbers.below(256) % len(sides)] for sides in divisors)
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
