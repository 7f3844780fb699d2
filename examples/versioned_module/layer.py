"""A layer that standardizes columns of a table, in its second version, which reads files of the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

EPSILON = 1e-5


class Standardize(nn.Module):
    """Standardizes each column by all rows of the training so far.

    Version 1 held the standard deviation in ``spread`` and the number of rows in the buffer ``rows``.
    Version 2 holds the variance in ``spread``, because variances can be merged, and in its extra state the
    number of rows and the names of the columns, so that a file made for another table is refused.
    """

    _version = 2
    mean: Tensor
    spread: Tensor

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__()
        self.columns = list(columns)
        self.rows = 0
        self.register_buffer("mean", torch.zeros(len(columns)))
        self.register_buffer("spread", torch.ones(len(columns)))

    def forward(self, table: Tensor) -> Tensor:
        if self.training:
            self.merge(table)
        return (table - self.mean) / (self.spread.sqrt() + EPSILON)

    @torch.no_grad()
    def merge(self, table: Tensor) -> None:
        """Take more rows into account (Chan, Golub and LeVeque, 1979)."""
        total = self.rows + len(table)
        share = len(table) / total
        distance = table.mean(dim=0) - self.mean
        variance = table.var(dim=0, correction=0)
        self.spread.lerp_(variance, share).add_(distance.square(), alpha=share * (1 - share))
        self.mean.add_(distance, alpha=share)
        self.rows = total

    def get_extra_state(self) -> dict[str, Any]:
        return {"rows": self.rows, "columns": self.columns}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        if state["columns"] != self.columns:
            raise ValueError(f"The file is for the columns {state['columns']}, not for {self.columns}.")
        self.rows = state["rows"]

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *others: Any
    ) -> None:
        """Load a file of any version. ``state_dict`` is torch's own copy of the mapping, so it may be changed."""
        if local_metadata.get("version", 1) < 2:
            rows = int(state_dict.pop(f"{prefix}rows", torch.tensor(0)))
            state_dict[f"{prefix}spread"] = state_dict[f"{prefix}spread"].square()
            state_dict[f"{prefix}_extra_state"] = {"rows": rows, "columns": self.columns}
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *others)  # type: ignore[no-untyped-call]
