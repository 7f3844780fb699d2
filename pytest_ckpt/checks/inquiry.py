"""Further runs that a failing check asks for, to say what was lost and why."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.diagnosis import (
    Blame,
    WrongOrder,
    advise_on_load,
    find_blame,
    find_hidden,
    find_wrong_order,
    picture,
)
from pytest_ckpt.overwriting import SavedOver, explain_saved_over, save_over
from pytest_ckpt.runs import build
from pytest_ckpt.runs.storage import no_storage
from pytest_ckpt.second_resume import explain_second_resume
from pytest_ckpt.spine import save_and_wait, save_on_the_way
from pytest_ckpt.trips import FIRST_SEED, Trajectory, new_path, workspace

__all__ = [
    "blame",
    "changed_by_saving",
    "hidden_after_loading",
    "prefix_advice",
    "saved_over",
    "second_resume",
    "watched_only",
    "wrong_order",
]


def blame(evidence: Evidence, at: int) -> Blame:
    """Find what is to blame for the divergence after the checkpoint of step ``at``."""
    if not evidence.explain:
        return Blame(stopped="it was not asked for (explain=False).")
    plan = evidence.only(at)
    with workspace() as directory:
        saved = save_on_the_way(plan, directory)
        try:
            return find_blame(plan, at, saved.paths[at], saved.trajectory, evidence.unstable_paths)
        except Exception as error:  # The finding stands without its cause.
            return Blame(stopped=f"{type(error).__name__}: {error}")


def wrong_order(evidence: Evidence, at: int) -> WrongOrder | None:
    """Return the wrong order in which the checkpoint of step ``at`` is loaded, if it is one that is known."""
    if not evidence.explain:
        return None
    plan = evidence.only(at)
    with workspace() as directory:
        path = save_on_the_way(plan, directory).paths[at]
        try:
            return find_wrong_order(plan, at, path)
        except Exception:  # The finding stands without its cause.
            return None


def prefix_advice(evidence: Evidence, at: int, lost: Collection[str], gone: Collection[str]) -> str:
    """Return what to do about a prefix that kept components from finding their state, if one did.

    Something is ``lost`` of some of them, most of those that are ``gone``.
    """
    plan = evidence.only(at)
    if not any(evidence.kinds.get(name) == "module" for name in lost):
        return ""
    with suppress(Exception), workspace() as directory:  # The finding stands without its cause.
        return advise_on_load(plan, at, save_on_the_way(plan, directory).paths[at], lost, gone)
    return ""


def hidden_after_loading(evidence: Evidence, at: int) -> tuple[Mismatch, ...]:
    """Return what differs outside the state dicts after the checkpoint of step ``at`` is loaded."""
    plan = evidence.only(at)
    with suppress(Exception), workspace() as directory:  # The finding stands without its cause.
        return find_hidden(plan, at, save_on_the_way(plan, directory).paths[at])
    return ()


def changed_by_saving(evidence: Evidence, at: int) -> tuple[Mismatch, ...]:
    """Return what one save after ``at`` steps changes in the run that saves."""
    plan = evidence.plan
    with workspace() as directory:
        run = build(plan.make_run, FIRST_SEED)
        run.train(at)
        before = picture(run)
        volatile = {mismatch.path for mismatch in compare(before, picture(run), traits=False)}
        save_and_wait(plan, run, new_path(directory, "once", plan.storage))
        after = compare(before, picture(run), traits=False)
        return tuple(mismatch for mismatch in after if mismatch.path not in volatile)


def watched_only(evidence: Evidence) -> Trajectory:
    """Return what a run does whose state is read at every save, without a save."""
    with workspace() as directory:
        return save_on_the_way(replace(evidence.plan, storage=no_storage()), directory).trajectory


def saved_over(evidence: Evidence) -> tuple[SavedOver, tuple[Mismatch, ...]]:
    """Save over an earlier checkpoint again, leaving out what no two runs share; and say what is lost then."""
    with workspace() as directory:
        found = save_over(evidence.plan, directory, evidence.unstable_paths)
        assert found is not None
    if found.trip.failure is not None:
        return found, ()
    with suppress(Exception), workspace() as directory:  # The finding stands without its cause.
        return found, explain_saved_over(evidence.plan, found.steps, directory)
    return found, ()


def second_resume(evidence: Evidence) -> tuple[Mismatch, ...]:
    """Return how the run after the second load differs from the one that saved there."""
    with suppress(Exception), workspace() as directory:  # The finding stands without its cause.
        return explain_second_resume(evidence.plan, directory)
    return ()
