"""How closely a program is looked at while it is executed."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Manner"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """How a program is executed.

    Attributes:
        closely: Whether to look at the state once more after each save and each load, for what a save notes and what
            changes by itself. That takes time, so it is only done to confirm a finding.
        spared: Paths that are no loss: training puts them right, or no two runs share them.
        healing: Paths that are no loss right after a load; at the end they are.
        late: Whether a restarted script makes its changes again after it loads, not before.
    """

    closely: bool = False
    spared: frozenset[str] = frozenset()
    healing: frozenset[str] = frozenset()
    late: bool = False
