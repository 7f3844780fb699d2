"""A checkpoint in a process that has never seen its run: loaded there, and trained on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.fresh_party import Party, Saved, save_here
from pytest_ckpt.fresh_tasks import Failure, Loaded, SavedThere, Trained
from pytest_ckpt.launchers import (
    Replies,
    Reply,
)
from pytest_ckpt.spine import first_divergence, without_noted
from pytest_ckpt.trips import CallFailed, Trajectory, Trip, new_path, workspace

__all__ = [
    "Asked",
    "FreshTrip",
    "ask_carefully",
    "ask_quickly",
    "ask_within",
    "judge_replies",
    "train_afresh",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class FreshTrip:
    """A checkpoint in a new process.

    Attributes:
        trip: What became of it.
        missing: The file that was not found; empty if it was not that.
        in_checkpoint: Whether it is a file of the checkpoint, by a name that is relative to the working directory here.
        printed: What the process printed.
    """

    trip: Trip
    missing: str = ""
    in_checkpoint: bool = False
    printed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Checkpoints in new processes.

    Attributes:
        trips: One per checkpoint.
        nothing: Why there are none; empty if there are some.
        slow: Whether each took a new interpreter.
        outside: The files that saves wrote elsewhere.
        with_them: The trip with these files; ``None`` if there were none, or the trip without them was not tried.
    """

    trips: tuple[FreshTrip, ...] = ()
    nothing: str = ""
    slow: bool = False
    outside: tuple[str, ...] = ()
    with_them: FreshTrip | None = None


def ask_quickly(party: Party, points: Iterable[int]) -> Asked:
    """Load several checkpoints of one run in new processes, in an empty working directory.

    Raises:
        CallFailed: If the run cannot be saved here.
    """
    plan = replace(party.plan, at=tuple(points))
    with workspace() as folder, tempfile.TemporaryDirectory(prefix="ckpt-") as empty:
        saved = save_here(plan, folder)
        if saved.wrote_nothing:
            return Asked(nothing="save(path) writes no file, so there is nothing that another process could load.")
        tasks = [party.resume(saved, at, folder=empty, follow=False) for at in plan.at]
        replies = party.call(tasks, saved.seconds)
        return judge_replies(saved, plan.at, replies)


def ask_carefully(party: Party, at: int, unstable: Sequence[str]) -> Asked:
    """Load one checkpoint of a run that saves once, in this working directory, without what was written elsewhere.

    Raises:
        CallFailed: If the run cannot be saved here.
    """
    with workspace() as folder:
        saved = save_here(replace(party.plan, at=(at,)), folder)
        tasks = [party.resume(saved, at), *([party.resume(saved, at, hidden=False)] if saved.outside else [])]
        replies = party.call(tasks, saved.seconds)
        asked = judge_replies(saved, (at,) * len(tasks), replies, unstable)
        return replace(asked, trips=asked.trips[:1], with_them=asked.trips[1] if len(asked.trips) > 1 else None)


def ask_within(party: Party, at: int, unstable: Sequence[str]) -> Asked:
    """Save in one new process and load in another one like it, so that only the checkpoint can differ."""
    with workspace() as folder:
        path = new_path(folder, "there", party.plan.storage).parent
        (reply,) = party.call([party.save(at, path)]).items
        there = reply.value
        if not isinstance(there, SavedThere) or there.tree is None or there.trajectory is None:
            return Asked(nothing=_why_not(reply))
        found = next(path.iterdir(), path) / f"checkpoint{party.plan.storage.suffix}"
        after = {} if there.after is None else {at: there.after}
        saved = Saved(trajectory=there.trajectory, trees={at: there.tree}, after=after, paths={at: found})
        return judge_replies(saved, (at,), party.call([party.resume(saved, at)]), unstable)


def train_afresh(party: Party, hash_seed: str = "") -> Trajectory | str:
    """Train a run that never stops in a new process; or return why that is not possible.

    Args:
        party: What is run.
        hash_seed: The ``PYTHONHASHSEED`` of a new interpreter, which takes seconds; default: that of every new process.
    """
    (reply,) = party.call([party.train()], hash_seed=hash_seed).items
    if not isinstance(reply.value, Trained) or reply.value.trajectory is None:
        return _why_not(reply)
    return reply.value.trajectory


def _why_not(reply: Reply) -> str:
    failure: Failure | None = getattr(reply.value, "failure", None)
    return reply.problem or (failure.text if failure is not None else "nothing came back")


def judge_replies(saved: Saved, points: Sequence[int], replies: Replies, unstable: Sequence[str] = ()) -> Asked:
    """Compare what came back with the run that has saved.

    Args:
        saved: That run.
        points: The step each reply is about.
        replies: What came back.
        unstable: Paths that are not compared.
    """
    if not all(reply.travelled for reply in replies.items):
        reply = replies.items[0]
        return Asked(
            nothing=" ".join((f"A new process cannot import what make_run needs: {reply.problem}", *reply.details))
        )
    trips = [
        replace(_judge(saved, at, reply, unstable), printed=replies.printed)
        for at, reply in zip(points, replies.items, strict=True)
    ]
    return Asked(trips=tuple(trips), slow=replies.slow, outside=saved.outside)


def _judge(saved: Saved, at: int, reply: Reply, unstable: Sequence[str]) -> FreshTrip:
    loaded = reply.value
    if not isinstance(loaded, Loaded):
        failure = CallFailed.told(reply.problem, "a new process", reply.details)
        return FreshTrip(trip=Trip(at=at, failure=failure))
    if (told := loaded.failure) is not None:
        failure = CallFailed.told(told.text, told.stage, told.where)
        inside = os.path.abspath(told.missing).startswith(f"{saved.paths[at].parent}{os.sep}")
        return FreshTrip(trip=Trip(at=at, failure=failure), missing=told.missing, in_checkpoint=inside)
    return FreshTrip(trip=_trip(saved, at, loaded, unstable))


def _trip(saved: Saved, at: int, loaded: Loaded, unstable: Sequence[str]) -> Trip:
    tree, reference = saved.trees[at], saved.trajectory
    restored = _differences(tree.state, loaded.state, loaded.volatile)
    rest = _differences(reference.end.state, loaded.end, loaded.volatile)
    there = replace(tree, state=loaded.end)
    divergence = first_divergence(reference, Trajectory(start=at, records=loaded.records, end=there), unstable)
    still_wrong = {mismatch.path for mismatch in rest}
    return Trip(
        at=at,
        restored=without_noted(restored, tree, saved.after.get(at), replace(tree, state=loaded.state)),
        volatile=loaded.volatile,
        divergence=divergence,
        end=tuple(m for m in rest if m.path not in unstable),
        healed=tuple(m.path for m in restored if divergence is None and loaded.records and m.path not in still_wrong),
    )


def _differences(expected: Any, actual: Any, volatile: Sequence[str]) -> tuple[Mismatch, ...]:
    return tuple(m for m in compare(expected, actual, traits=False) if m.path not in volatile)
