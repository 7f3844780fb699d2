"""Subjects through one format: saved together, loaded into fresh ones, compared bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch.nn.parameter import is_lazy
from torch_subjects import Subject

from pytest_ckpt import TrainingRun
from pytest_ckpt.comparison import compare, differ
from pytest_ckpt.runs import LiveRun, build
from pytest_ckpt.runs.storage import Storage
from pytest_ckpt.state import StateTree, capture
from pytest_ckpt.state.naming import is_optimizer_like

__all__ = ["STEPS", "Found", "Saved", "State", "compared", "different_run", "round_trips", "saved"]

State: TypeAlias = Literal["fresh", "trained"]
STEPS: Mapping[State, int] = {"fresh": 0, "trained": 3}

_SAVED_SEED, _LOADED_SEED = 1, 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What became of one subject.

    Attributes:
        status: ``refused``: the format said beforehand that it cannot keep it.
        reason: Why, or what differs; empty if it is the same.
    """

    status: Literal["same", "refused", "different"]
    reason: str = ""


class Saved(NamedTuple):
    """A run to be saved, and what it was like; neither changes from here on."""

    run: LiveRun
    tree: StateTree


def round_trips(subjects: Sequence[Subject], state: State, storage: Storage, directory: Path) -> dict[str, Found]:
    """Save subjects of one class in one file, load it into fresh ones, and say per name what became of each.

    What the format refuses is tried nevertheless: a format must not refuse what it can keep.
    """
    found: dict[str, Found] = {}
    for subject in subjects:
        if reason := storage.refuses(saved(subject, state).run):
            kept = _together([subject], state, storage, directory)[subject.name]
            found[subject.name] = (
                Found(status="different", reason=f"is refused, but could be kept: {reason}")
                if kept.status == "same"
                else Found(status="refused", reason=reason)
            )
    return found | _together([s for s in subjects if s.name not in found], state, storage, directory)


@cache
def saved(subject: Subject, state: State) -> Saved:
    """Make and train a run, once in a process."""
    run = build(subject.make_run, _SAVED_SEED)
    run.train(STEPS[state])
    return Saved(run=run, tree=capture(run.components, hidden=False))


def _together(subjects: Sequence[Subject], state: State, storage: Storage, directory: Path) -> dict[str, Found]:
    if not subjects:
        return {}
    targets = [different_run(subject, saved(subject, state).tree) for subject in subjects]
    path = directory / f"{len(list(directory.iterdir()))}{storage.suffix}"
    try:
        storage.save(_merged([saved(subject, state).run for subject in subjects]), path)
        storage.load(_merged(targets), path)
        objects = storage.form.load(path) if storage.form is not None and storage.form.whole else None
    except Exception as error:
        if len(subjects) > 1:  # one of them is to blame
            return {s.name: _together([s], state, storage, directory)[s.name] for s in subjects}
        return {subjects[0].name: Found(status="different", reason=f"{type(error).__name__}: {error}")}
    return {
        subject.name: _judged(saved(subject, state).tree, target, _part_of(objects, position))
        for position, (subject, target) in enumerate(zip(subjects, targets, strict=True))
    }


def _judged(tree: StateTree, target: LiveRun, objects: dict[str, Any] | None) -> Found:
    """Compare what was loaded into, and for a format of whole objects also these."""
    found = compared(tree, target.components)
    return found if objects is None or found.status == "different" else compared(tree, objects)


def _merged(runs: Sequence[LiveRun]) -> LiveRun:
    components = {
        f"{position}.{name}": component
        for position, run in enumerate(runs)
        for name, component in run.components.items()
    }
    return LiveRun(TrainingRun(components=components))


def _part_of(objects: Mapping[str, Any] | None, position: int) -> dict[str, Any] | None:
    prefix = f"{position}."
    if objects is None:
        return None
    return {name.removeprefix(prefix): item for name, item in objects.items() if name.startswith(prefix)}


def compared(tree: StateTree, components: Mapping[str, Any]) -> Found:
    """Say whether components are as they were when they were captured."""
    diff = compare(tree, capture(components, hidden=False))
    if not diff:
        return Found(status="same")
    first = next(iter(diff))
    more = f" (and {len(diff) - 1} more)" if len(diff) > 1 else ""
    reason = f"{first.path}: {first.kind} differs, saved {first.expected}, loaded {first.actual}{more}"
    return Found(status="different", reason=reason)


def different_run(subject: Subject, tree: StateTree) -> LiveRun:
    """Make a fresh run that differs from the saved one in each component, so that a load that does nothing is seen."""
    run = build(subject.make_run, _LOADED_SEED)
    for component in run.components.values():
        _disturb(component)
    other = capture(run.components, hidden=False)
    same = [
        name
        for name, component in run.components.items()
        if _has_values(component) and not differ(tree.state[name], other.state[name])
    ]
    assert not same, f"{subject.name}: nothing could be lost of {', '.join(same)}"
    return run


def _has_values(component: Any) -> bool:
    if isinstance(component, torch.nn.Module):
        return any(not is_lazy(value) for value in component.state_dict().values())
    return True


@torch.no_grad()
def _disturb(component: Any) -> None:
    if isinstance(component, torch.nn.Module):
        for tensor in (*component.parameters(), *component.buffers()):
            if not is_lazy(tensor):
                tensor.copy_(~tensor if tensor.dtype is torch.bool else tensor + 1)
    elif is_optimizer_like(component):
        for group in component.param_groups:
            group["lr"] = torch.tensor(0.4321) if isinstance(group["lr"], torch.Tensor) else 0.4321
    else:
        for scheduler in getattr(component, "_schedulers", [component]):
            scheduler.last_epoch += 1000
