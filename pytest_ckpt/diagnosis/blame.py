"""Which state, restored by hand, makes a resumed run agree: the smallest set is to blame."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.diagnosis.suspects import Suspect, comparable, find_suspects, graph_of
from pytest_ckpt.runs import LiveRun, build
from pytest_ckpt.spine import first_divergence
from pytest_ckpt.state import capture
from pytest_ckpt.trips import FIRST_SEED, CallFailed, Plan, Trajectory, fresh_seed, stage

__all__ = ["Blame", "find_blame", "find_differences", "find_hidden", "smallest"]

_TRIAL_LIMIT = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Blame:
    """Why a resumed run is not the uninterrupted one.

    Attributes:
        culprits: Paths whose transplant from the saved run makes the runs agree; empty if none was found.
        evidence: How each culprit differs after loading.
        suspects: What else differs after loading.
        trials: How many runs were resumed to find out.
        cut: How many objects were not looked at.
        stopped: What stopped the search, if something did.
        sealed: What may hold state and does not show it, where nothing that can be seen is to blame: paths and kinds.
    """

    culprits: tuple[str, ...] = ()
    evidence: tuple[Mismatch, ...] = ()
    suspects: tuple[Mismatch, ...] = ()
    trials: int = 0
    cut: int = 0
    stopped: str = ""
    sealed: tuple[tuple[str, str], ...] = ()


def find_blame(plan: Plan, at: int, path: Path, reference: Trajectory, unstable: Sequence[str] = ()) -> Blame:
    """Transplant what differs after loading from a run that did not stop, and keep what is needed.

    Args:
        plan: What to run.
        at: The step the checkpoint was saved after.
        path: The checkpoint.
        reference: The uninterrupted run.
        unstable: Paths that differ between two uninterrupted runs.
    """
    saved, loaded = _pair(plan, at, path)
    suspects, cut = find_suspects(saved, loaded)
    trials = 0

    def agrees(chosen: Sequence[Suspect]) -> bool:
        nonlocal trials
        trials += 1
        if trials > _TRIAL_LIMIT:
            return False
        return _transplanted_run_agrees(plan, at, path, reference, chosen, unstable)

    drawn = _drawn_from(plan, at)
    suspects = [s for s in suspects if not s.path.startswith("rng.") or s.path in drawn]
    movable = _movable(plan, at, path, suspects)
    if not movable or not agrees(movable):
        unseen = tuple(graph_of(saved).sealed.items())
        likely = [s for s in suspects if s.declared or s.ambient or s.path not in _of_each_run(plan)]
        return Blame(suspects=_shown(likely), trials=trials, cut=cut, sealed=unseen)
    culprits = smallest(movable, agrees)
    return Blame(
        culprits=tuple(suspect.path for suspect in culprits),
        evidence=_mismatches(culprits),
        suspects=_shown(suspects, culprits),
        trials=trials,
        cut=cut,
    )


def _of_each_run(plan: Plan) -> set[str]:
    """Return the paths of what no two runs share: a clock, an id, a folder. Nobody would save it."""
    one, other = (graph_of(build(plan.make_run, FIRST_SEED)).slots for _ in range(2))
    both = one.keys() & other.keys()
    return {p for p in both if compare(comparable(one[p].value), comparable(other[p].value), traits=False)}


def _shown(suspects: Iterable[Suspect], but: Sequence[Suspect] = ()) -> tuple[Mismatch, ...]:
    """Return how suspects differ, once, without gradients: unless they are to blame, they are zeroed anyway."""
    told = _mismatches(but)
    found = _mismatches(s for s in suspects if s.seen and s not in but and not s.path.endswith(".grad"))
    return tuple(mismatch for mismatch in dict.fromkeys(found) if mismatch not in told)


def _mismatches(suspects: Iterable[Suspect]) -> tuple[Mismatch, ...]:
    return tuple(mismatch for suspect in suspects for mismatch in (suspect.all[:3] or (suspect.mismatch,)))


def _drawn_from(plan: Plan, at: int) -> set[str]:
    """Return the global state that training after step ``at`` changes: random generators, counters."""
    run = build(plan.make_run, FIRST_SEED)
    run.train(at)
    before = plan.ambient()
    run.train(plan.steps)
    after = plan.ambient()
    return {path for path in before if compare(before[path], after.get(path), traits=False)}


def _movable(plan: Plan, at: int, path: Path, suspects: Sequence[Suspect]) -> list[Suspect]:
    """Return the suspects that can be restored by hand; a component may refuse what it was given."""
    saved, loaded = _pair(plan, at, path)
    movable = []
    for suspect in suspects:
        if suspect.move is None:
            continue
        with contextlib.suppress(Exception):
            suspect.move(saved, loaded)
            movable.append(suspect)
    return movable


def find_differences(plan: Plan, at: int, saved: LiveRun, loaded: LiveRun) -> tuple[Mismatch, ...]:
    """Return how two live runs differ after ``at`` steps, without what training cannot see of it."""
    drawn = _drawn_from(plan, at)
    suspects, _ = find_suspects(saved, loaded)
    shown = [s for s in suspects if s.seen and (not s.ambient or s.path in drawn) and not s.path.endswith(".grad")]
    return _mismatches(shown)


def find_hidden(plan: Plan, at: int, path: Path) -> tuple[Mismatch, ...]:
    """Return how a loaded run differs from the one that was saved, but for gradients and the random state."""
    suspects, _ = find_suspects(*_pair(plan, at, path))
    return _mismatches(s for s in suspects if s.seen and not s.ambient and not s.path.endswith(".grad"))


def _pair(plan: Plan, at: int, path: Path) -> tuple[LiveRun, LiveRun]:
    """Return a run that trained ``at`` steps, and a fresh one that loaded its checkpoint."""
    saved = build(plan.make_run, FIRST_SEED)
    saved.train(at)
    saved.ambient = plan.ambient()
    loaded = build(plan.make_run, fresh_seed(at))
    with stage("load(path)"):
        plan.load(loaded, path)
    loaded.ambient = plan.ambient()
    loaded.steps_done = at
    return saved, loaded


def _transplanted_run_agrees(
    plan: Plan,
    at: int,
    path: Path,
    reference: Trajectory,
    chosen: Sequence[Suspect],
    unstable: Sequence[str],
) -> bool:
    try:
        saved, loaded = _pair(plan, at, path)
        with stage("restoring by hand and training on"):
            for suspect in chosen:
                assert suspect.move is not None
                suspect.move(saved, loaded)
            plan.set_ambient({s.path: saved.ambient[s.path] for s in chosen if s.ambient})
            records = loaded.train(plan.steps)
    except CallFailed:
        return False
    end = capture(loaded.components, hidden=False)
    mine = Trajectory(start=at, records=records, end=end)
    if first_divergence(reference, mine, unstable) is not None:
        return False
    rest = compare(reference.end.state, end.state, traits=False)
    return all(mismatch.path in unstable for mismatch in rest)


def smallest(items: Sequence[Suspect], works: Callable[[Sequence[Suspect]], bool]) -> list[Suspect]:
    """Return a smallest subset that still works; QuickXplain (Junker, AAAI 2004).

    Args:
        items: A list for which ``works`` holds; the earlier an item, the rather it is kept.
        works: Whether a subset suffices.
    """

    def explain(background: list[Suspect], added: bool, rest: list[Suspect]) -> list[Suspect]:
        if added and works(background):
            return []
        if len(rest) == 1:
            return rest
        half = len(rest) // 2
        left, right = rest[:half], rest[half:]
        from_right = explain(background + left, True, right)
        from_left = explain(background + from_right, bool(from_right), left)
        return from_left + from_right

    return explain([], False, list(items))
