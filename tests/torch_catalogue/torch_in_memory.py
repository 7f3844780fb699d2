"""Two ways around the disk that people take as well: a state dict handed on, and a deep copy."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from torch_round_trips import Found, State, compared, different_run, saved
from torch_subjects import Subject

from pytest_ckpt.comparison import compare
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.runs.restoring import load_order
from pytest_ckpt.runs.storage import payload_of
from pytest_ckpt.state import StateTree, freeze

__all__ = ["IN_MEMORY"]

_Way: TypeAlias = Callable[[Subject, LiveRun, StateTree], Found]


def _handed_on(subject: Subject, run: LiveRun, tree: StateTree) -> Found:
    """Load the state dicts themselves, which must come out of that as they went in."""
    target, payload = different_run(subject, tree), payload_of(run)
    before = freeze(payload)
    for name in load_order(target.components):
        target.components[name].load_state_dict(payload[name])
    if diff := compare(before, freeze(payload)):
        return Found(status="different", reason=f"load_state_dict() changes its argument: {next(iter(diff)).path}")
    return compared(tree, target.components)


def _copied(subject: Subject, run: LiveRun, tree: StateTree) -> Found:
    """Copy the objects, all at once, so that they still belong together."""
    return compared(tree, copy.deepcopy(run.components))


def in_memory(way: str, subjects: Sequence[Subject], state: State) -> dict[str, Found]:
    """Send subjects one of the ways, and say per name what became of each."""
    found = {}
    for subject in subjects:
        run, tree = saved(subject, state)
        try:
            found[subject.name] = IN_MEMORY[way](subject, run, tree)
        except Exception as error:
            found[subject.name] = Found(status="different", reason=f"{type(error).__name__}: {error}")
        unchanged = compared(tree, run.components)
        assert unchanged.status == "same", f"{way} changed {subject.name} itself: {unchanged.reason}"
    return found


IN_MEMORY: Mapping[str, _Way] = {"state_dict": _handed_on, "deepcopy": _copied}
