"""What was measured, as rows of one aligned table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measuring import Spread

__all__ = ["Row", "render"]

_HEADER = ("benchmark", "measured", "median", "min..max", "target", "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One measured number.

    Attributes:
        benchmark: The benchmark it belongs to.
        measured: What was measured, and against what.
        spread: The number over the rounds; ``None`` where it was not measured.
        unit: ``x`` for a ratio, ``%`` or ``MB``.
        limit: What the number may be at most; ``None`` where it is only there to be compared with.
        skipped: What to install, where the rival is not there.
    """

    benchmark: str
    measured: str
    spread: Spread | None = None
    unit: str = "x"
    limit: float | None = None
    skipped: str = ""

    @property
    def verdict(self) -> str:
        if self.spread is None:
            return f"skipped: {self.skipped}"
        if self.limit is None:
            return ""
        return "ok" if self.spread.median <= self.limit else "MISSED"


def render(rows: Sequence[Row]) -> str:
    """Return the rows as an aligned table."""
    table = [_HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEADER))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = ["  ".join(_aligned(cells, widths)).rstrip() for cells in table]
    return "\n".join([lines[0], rule, *lines[1:]])


def _aligned(cells: tuple[str, ...], widths: list[int]) -> list[str]:
    numbers = (2, 3, 4)
    return [
        cell.rjust(width) if column in numbers else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]


def _cells(row: Row) -> tuple[str, ...]:
    spread, unit = row.spread, row.unit
    target = "" if row.limit is None else f"<= {row.limit:g} {unit}"
    if spread is None:
        return row.benchmark, row.measured, "", "", target, row.verdict
    range_ = f"{_number(spread.low)}..{_number(spread.high)}"
    return row.benchmark, row.measured, f"{_number(spread.median)} {unit}", range_, target, row.verdict


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
