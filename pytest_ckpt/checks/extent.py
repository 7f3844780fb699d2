"""How much of a module did not come back."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.trips import Trip

__all__ = ["mostly_lost", "untouched"]


def mostly_lost(evidence: Evidence, trip: Trip) -> dict[str, tuple[int, int]]:
    """Return the modules of which most was not restored: how many tensors were lost, and of how many."""
    counts = {}
    for name in (name for name, kind in evidence.kinds.items() if kind == "module"):
        total = len(evidence.reference.end.state[name])
        lost = sum(1 for m in trip.restored if evidence.component_of(m.path) == name)
        if lost * 2 > total:
            counts[name] = (lost, total)
    return counts


def untouched(gone: Mapping[str, tuple[int, int]]) -> list[str]:
    """Say of each module of which most was not restored how much was."""
    return [
        f"{f'Only {total - lost}' if lost < total else 'None'} of the {total} tensors of {name} came back."
        for name, (lost, total) in gone.items()
        if total > 1
    ]
