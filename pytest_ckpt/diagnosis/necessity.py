"""What a resumed run needs of its checkpoint: each component taken away once, and what was never in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import torch

from pytest_ckpt.comparison import Mismatch, differ
from pytest_ckpt.diagnosis.aliases import plain_tensors
from pytest_ckpt.diagnosis.suspects import Suspect, comparable, find_suspects, graph_of, leads_to_files
from pytest_ckpt.runs import build
from pytest_ckpt.runs.following import follow_replaced
from pytest_ckpt.runs.restoring import restore_component
from pytest_ckpt.spine import first_divergence, save_on_the_way
from pytest_ckpt.state import capture, freeze
from pytest_ckpt.state.hidden import Graph
from pytest_ckpt.trips import FIRST_SEED, Plan, SavedRun, Trajectory, fresh_seed

__all__ = ["Need", "Needs", "find_needs"]

Verdict: TypeAlias = Literal["needed", "for itself", "not needed", "not restored", "not tried"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What happens to a resumed run without one component.

    Attributes:
        component: Its name.
        verdict: ``needed``: the rest of the run becomes another one. ``for itself``: only the component's own
            state does, as with an average of the weights. ``not needed``: nothing does. ``not restored``: loading
            changed nothing in it, so there is nothing to take away. ``not tried``: it cannot be reset.
        step: The first training step that goes another way without it, where one does.
    """

    component: str
    verdict: Verdict
    step: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What a resumed run needs.

    Attributes:
        at: Training steps before saving.
        components: One entry per component that was taken away.
        following: Weights that training sets aside and that follow the live model; load restores copies of them.
        hidden: Paths of state that training changes and loading does not bring back; gradients aside.
        cut: How many objects were not looked at.
        stopped: What stopped the search, if something did.
    """

    at: int
    components: tuple[Need, ...] = ()
    following: tuple[Mismatch, ...] = ()
    hidden: tuple[str, ...] = ()
    cut: int = 0
    stopped: str = ""


def find_needs(plan: Plan, directory: Path, names: Iterable[str]) -> Needs:
    """Take one component after the other away from a run that has loaded, and look for what was not saved.

    Args:
        plan: What to run; the checkpoint in the middle of its ``at`` is loaded once for each component.
        directory: An empty directory for the checkpoint.
        names: The components to take away.

    Raises:
        CallFailed: If the run cannot be trained or saved.
    """
    at = plan.at[len(plan.at) // 2]
    saved = save_on_the_way(replace(plan, at=(at,)), directory)
    needs = [_need_of(plan, saved, at, name) for name in names]
    return replace(_beside_the_components(plan, saved.paths[at], at), components=tuple(needs))


def _need_of(plan: Plan, saved: SavedRun, at: int, component: str) -> Need:
    run = build(plan.make_run, fresh_seed(at))
    before = capture(run.components, hidden=False)
    try:
        plan.load(run, saved.paths[at])
        follow_replaced(run, saved.run)
        run.steps_done = at
        loaded = capture(run.components, hidden=False)
        if not differ(before.state.get(component), loaded.state.get(component), traits=False):
            return Need(component=component, verdict="not restored")
        restore_component(component, run.components[component], freeze(before.raw[component]))
        records = run.train(plan.steps)
    except Exception:  # It cannot be reset, or the run refuses to go on without it.
        return Need(component=component, verdict="not tried")
    end = capture(run.components, hidden=False)
    divergence = first_divergence(saved.trajectory, Trajectory(start=at, records=records, end=end))
    if divergence is not None:
        return Need(component=component, verdict="needed", step=divergence.step)
    reference = saved.trajectory.end.state
    changed = {name for name, state in reference.items() if differ(state, end.state.get(name), traits=False)}
    return Need(component=component, verdict=_VERDICTS[bool(changed - {component}), bool(changed)])


# By whether another component ends in another state, and whether any does.
_VERDICTS: dict[tuple[bool, bool], Verdict] = {
    (True, True): "needed",
    (False, True): "for itself",
    (False, False): "not needed",
}


def _beside_the_components(plan: Plan, path: Path, at: int) -> Needs:
    saved = build(plan.make_run, FIRST_SEED)
    saved.train(at)
    loaded = build(plan.make_run, fresh_seed(at))
    plan.load(loaded, path)
    suspects, cut = find_suspects(saved, loaded)
    now, first = graph_of(saved), graph_of(build(plan.make_run, FIRST_SEED))
    first_of = [s for s in suspects if now.same_as.get(s.path, s.path) == s.path]
    hidden = [s.path for s in first_of if _is_hidden(s)]
    other = {suspect.path for suspect in suspects if suspect.mismatch.kind != "sharing"}
    following = (s.mismatch for s in first_of if _follows_the_model(s, now) and s.path not in other)
    kept = (mismatch for mismatch in following if _changes(mismatch.path, first, now))
    return Needs(
        at=at,
        following=tuple(mismatch for mismatch in kept if _outlasts_a_step(plan, mismatch.path)),
        hidden=tuple(name for name in hidden if _changes(name, first, now)),
        cut=cut,
    )


def _follows_the_model(suspect: Suspect, now: Graph) -> bool:
    """Whether a mapping of tensors, made while training, shares the model's memory, and is a copy once loaded."""
    mismatch = suspect.mismatch
    if mismatch.kind != "sharing" or not mismatch.expected.startswith("shares memory") or mismatch.actual != "a copy":
        return False
    return suspect.path in now.slots and isinstance(now.slots[suspect.path].value, Mapping)


def _outlasts_a_step(plan: Plan, path: str) -> bool:
    """Whether training ever takes a step without setting aside anew what is at a path; else nobody sees it follow."""
    run, kept = build(plan.make_run, FIRST_SEED), set[torch.Tensor]()
    for step in range(1, plan.steps + 1):
        run.train(step)
        slot = graph_of(run).slots.get(path)
        now = set(plain_tensors(slot.value)) if slot is not None else set()
        if now & kept:
            return True
        kept = now
    return False


def _is_hidden(suspect: Suspect) -> bool:
    if suspect.declared or suspect.ambient or not suspect.seen or suspect.path.endswith(".grad"):
        return False
    return suspect.mismatch.kind != "sharing" and not leads_to_files(suspect.mismatch)


def _changes(name: str, first: Graph, now: Graph) -> bool:
    if name in now.undeclared and name in first.undeclared:
        before, after = (capture({name: graph.undeclared[name]}, hidden=False).state for graph in (first, now))
        return differ(before, after, traits=False)
    if name not in now.slots or _is_of_torch(now.objects.get(now.slots[name].owner)):
        return False
    if name not in first.slots:
        return True
    return differ(comparable(first.slots[name].value), comparable(now.slots[name].value), traits=False)


def _is_of_torch(thing: object) -> bool:
    # What torch's own classes leave out of their state dicts, such as caches, they make again.
    return type(thing).__module__.startswith("torch.")
