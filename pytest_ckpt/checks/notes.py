"""What is worth knowing of a state that was restored: what was not compared, not exercised, or carried over."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.formats.leaves import leaves
from pytest_ckpt.paths import matches_any, spell
from pytest_ckpt.runs import build
from pytest_ckpt.state import capture
from pytest_ckpt.trips import FIRST_SEED, workspace

__all__ = ["notes_on_state"]


def notes_on_state(evidence: Evidence) -> tuple[str, ...]:
    """Return the notes, as sentences."""
    notes = list(evidence.interruption.notes)
    volatile = sorted({path for trip in evidence.interruption.trips for path in trip.volatile})
    if volatile:
        notes.append(f"Not compared, since they change by themselves: {', '.join(volatile)}.")
    if unseen := _not_exercised(evidence):
        shown = ", ".join(unseen[:5]) + (f" and {len(unseen) - 5} more" if len(unseen) > 5 else "")
        notes.append(f"Not exercised, since the fresh run held the same before loading: {shown}.")
    if globs := evidence.plan.ignore:
        paths = set(_paths(evidence))
        idle = [glob for glob in globs if not any(matches_any(path, (glob,)) for path in paths)]
        if carried := [glob for glob in globs if glob not in idle]:
            notes.append(f"Carried over instead of loaded: {', '.join(carried)}.")
        if idle:
            notes.append(f"Nothing is called {' or '.join(idle)}, so nothing was carried over for it.")
    return tuple(notes)


def _not_exercised(evidence: Evidence) -> tuple[str, ...]:
    """Return the tensors of modules that the fresh run held before loading, bit for bit."""
    differed = evidence.interruption.trips[-1].fresh
    tensors = (
        f"{name}.{key}"
        for name, kind in evidence.kinds.items()
        if kind == "module"
        for key in evidence.reference.end.state[name]
    )
    return tuple(t for t in tensors if not any(d == t or d.startswith((f"{t}.", f"{t}[")) for d in differed))


def _paths(evidence: Evidence) -> Iterator[str]:
    """Yield every path that a glob can match: leaves, what leads to them, hidden state, random state."""
    with workspace():
        hidden = capture(build(evidence.plan.make_run, FIRST_SEED).components).hidden
    for keys, _ in (*leaves(evidence.reference.end.state), *leaves(hidden)):
        path = spell(keys)
        yield path
        yield from (path[: place.start()] for place in re.finditer(r"[.\[]", path))
