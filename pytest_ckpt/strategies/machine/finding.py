"""What a program of events showed, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pytest_ckpt.comparison import Mismatch

__all__ = ["Finding", "Kind", "outline"]

Kind: TypeAlias = Literal["state", "traits", "over", "step", "prediction", "end", "raised"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Where a program first went another way than the run that never stopped.

    Attributes:
        kind: ``state`` or ``traits`` right after a restart, ``over`` after a load into a run that had trained, ``step``
            and ``prediction`` while it trained, ``end`` in the components at the end, ``raised`` by the project's code.
        position: The index of the event after which it shows.
        step: Training steps behind the run by then.
        saved_after: Training steps behind the checkpoint the run came from; ``None`` if it came from none.
        mismatches: What differs.
        failure: What was raised, and where.
    """

    kind: Kind
    position: int
    step: int
    saved_after: int | None = None
    mismatches: tuple[Mismatch, ...] = ()
    failure: tuple[str, ...] = ()

    @property
    def soft(self) -> bool:
        """Whether training may yet put it right: numbers, strings and traits, and no tensor's values."""
        return self.kind in ("state", "traits", "end") and not any(m.tensor for m in self.values)

    @property
    def values(self) -> tuple[Mismatch, ...]:
        """The mismatches, but those of traits."""
        return () if self.kind == "traits" else self.mismatches

    @property
    def paths(self) -> frozenset[str]:
        """The paths of the mismatches."""
        return frozenset(outline(mismatch) for mismatch in self.mismatches)


def outline(mismatch: Mismatch) -> str:
    """Return a mismatch's path; of one that spells an object over several lines, as a parameter is, the first line.

    What such an object holds may have changed between two spellings.
    """
    return mismatch.path.partition("\n")[0]
