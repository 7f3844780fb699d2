"""Would a bug change anything in this run? Found out by doing its damage between two training steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from pytest_ckpt.comparison import Diff, compare
from pytest_ckpt.faults.fault import Applies, Fault
from pytest_ckpt.faults.wrapping import After, Before, after_loading, after_saving, injecting
from pytest_ckpt.runs import LiveRun, MakeRun, Record, build, isolated
from pytest_ckpt.runs.shared_state import SharedState
from pytest_ckpt.state import StateTree, capture
from pytest_ckpt.trips import FIRST_SEED, fresh_seed

__all__ = ["End", "Harm", "changes_tensors", "differing", "fault_of_load", "fault_of_save", "harms", "noise", "unless"]

_POINTS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Harm:
    """What the damage of a bug changed.

    Attributes:
        state: A state dict, in a tensor or in what training does not put right.
        traits: What a tensor is beside its values, to the end of the training.
        training: The training that followed, or the state it ended in.
    """

    state: bool
    traits: bool
    training: bool


_LOOKS_AT = {
    "state_is_restored": "state",
    "traits_are_restored": "traits",
    "resume_is_exact": "training",
    "saving_changes_nothing": "training",
}
"""What a check needs to see a difference in."""


def fault_of_load(
    name: str, summary: str, seen_by: tuple[str, ...], *, after: After, otherwise: str, before: Before | None = None
) -> Fault:
    """Return the fault of a ``load`` that does some damage after a complete load.

    Args:
        name: The fault's name.
        summary: The fault's summary.
        seen_by: The checks that must see it.
        after: ``after(run, noted)`` does the damage; where there is nothing to damage it does nothing.
        otherwise: The reason why the fault does not apply, where the damage changes nothing.
        before: ``noted = before(run)`` is called before the load.
    """
    applies = partial(_applies, after, before, seen_by, otherwise)
    return Fault(
        name=name, summary=summary, seen_by=seen_by, inject=injecting(after_loading(after, before)), applies=applies
    )


def fault_of_save(name: str, summary: str, *, after: After, otherwise: str) -> Fault:
    """Return the fault of a ``save`` that does some damage to the live run; see :func:`fault_of_load`."""
    seen_by = ("saving_changes_nothing",)
    applies = partial(_applies, after, None, seen_by, otherwise)
    return Fault(name=name, summary=summary, seen_by=seen_by, inject=injecting(after_saving(after)), applies=applies)


def unless(reason: str, holds: Callable[[MakeRun, int, Sequence[int]], bool]) -> Applies:
    """Return an ``applies`` that gives the reason unless something holds."""
    return partial(_unless, reason, holds)


def _unless(
    reason: str, holds: Callable[[MakeRun, int, Sequence[int]], bool], make_run: MakeRun, steps: int, at: Sequence[int]
) -> str | None:
    with isolated():
        return None if holds(SharedState(make_run).fresh, steps, at) else reason


def _applies(
    after: After,
    before: Before | None,
    seen_by: tuple[str, ...],
    otherwise: str,
    make_run: MakeRun,
    steps: int,
    at: Sequence[int],
) -> str | None:
    needed = {_LOOKS_AT[check] for check in seen_by}
    with isolated():
        fresh = SharedState(make_run).fresh
        if build(fresh, FIRST_SEED).definition.step is None:
            needed.discard("training")  # Nobody will look.
        if not needed:
            return "The run has no step=."
        for harm in harms(fresh, steps, at, after, before):
            needed -= {name for name in needed if getattr(harm, name)}
            if not needed:
                return None
    return otherwise


End: TypeAlias = "tuple[list[Record], StateTree]"


def harms(
    make_run: MakeRun, steps: int, at: Sequence[int], after: After, before: Before | None = None
) -> Iterator[Harm]:
    """Do the damage to a run that was, so to say, loaded completely, once after each step to resume from."""
    whole, end = _train(build(make_run, FIRST_SEED), steps)
    ever_changing = noise((whole, end), _train(build(make_run, FIRST_SEED), steps))
    for k in sorted(set(at))[-_POINTS:]:
        try:
            noted = None if before is None else before(build(make_run, fresh_seed(k)))
            run = build(make_run, FIRST_SEED)
            run.train(k)
            good, again = (capture(run.components, hidden=False) for _ in range(2))
            after(run, noted)
            bad = capture(run.components, hidden=False)
            records, other_end = _train(run, steps)
        except Exception:  # This part of this run cannot be damaged in this way.
            continue
        volatile = {mismatch.path for mismatch in _differ(good.state, again.state)}
        changed = differing((whole[k:], end), (records, other_end)) - ever_changing
        yield Harm(
            state=any(
                m.path not in volatile and (m.tensor or m.path in changed) for m in _differ(good.state, bad.state)
            ),
            traits=_traits_differ(good, bad) and _traits_differ(end, other_end),
            training=bool(changed),
        )


def _train(run: LiveRun, steps: int) -> End:
    return run.train(steps), capture(run.components, hidden=False)


def noise(first: End, second: End) -> set[str]:
    """Return what two runs do not share, such as a clock; nothing where not even their parameters are the same."""
    paths = differing(first, second)
    parameters = {f"{name}.{key}" for name, traits in first[1].traits.items() for key in traits}
    return set() if paths & parameters else paths


def differing(first: End, second: End) -> set[str]:
    """Return the paths in which two runs differ: in what a step returned, or in the state they ended in."""
    (records, end), (others, other_end) = first, second
    pairs = [*zip(records, others, strict=True), (end.state, other_end.state)]
    return {mismatch.path for pair in pairs for mismatch in _differ(*pair)}


def _differ(expected: Any, actual: Any) -> Diff:
    return compare(expected, actual, traits=False)


def _traits_differ(expected: StateTree, actual: StateTree) -> bool:
    return bool(compare(expected.traits, actual.traits)) or bool(compare(expected.sharing, actual.sharing))


def changes_tensors(make_run: MakeRun, steps: int, at: Sequence[int]) -> bool:
    """Whether the step after the last one to resume from changes a tensor of a state dict."""
    run = build(make_run, FIRST_SEED)
    run.train(max(at))
    before = capture(run.components, hidden=False)
    run.train(max(at) + 1)
    return any(mismatch.tensor for mismatch in _differ(before.state, capture(run.components, hidden=False).state))
