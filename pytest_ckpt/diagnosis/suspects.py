"""What differs between a run that did not stop and one that was loaded: declared state, then hidden state."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import GeneratorType
from typing import Any

import torch

from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.diagnosis.aliases import sharing_mismatches
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.runs.restoring import fill, load_order, restore_component
from pytest_ckpt.state import ObjectPicture, capture, freeze, get_random_state
from pytest_ckpt.state.freezing import generator_state
from pytest_ckpt.state.hidden import Graph, is_opaque, walk_graph
from pytest_ckpt.state.opaque import position_of

__all__ = ["Suspect", "comparable", "find_suspects", "graph_of", "leads_to_files", "picture"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspect:
    """Something that differs after loading.

    Attributes:
        path: Its name.
        mismatch: How it differs.
        move: ``move(saved_run, loaded_run)`` restores it by hand; ``None`` where that is impossible.
        declared: Whether a component's state dict holds it.
        ambient: Whether it is global: the plan restores it, last of all.
        all: Every mismatch, where one suspect stands for many.
        seen: Whether the difference can be seen; where an iterator stands sometimes cannot.
        iterates: Whether it is an iterator, which can be moved but not saved: what it draws from comes first.
    """

    path: str
    mismatch: Mismatch
    move: Callable[[LiveRun, LiveRun], None] | None
    declared: bool = False
    ambient: bool = False
    all: tuple[Mismatch, ...] = ()
    seen: bool = True
    iterates: bool = False


def find_suspects(saved: LiveRun, loaded: LiveRun) -> tuple[list[Suspect], int]:
    """Return what differs, components first, then the random state, then everything hidden; and what was cut."""
    ours, theirs = graph_of(saved), graph_of(loaded)
    declared = list(_component_suspects(saved.components, loaded.components))
    declared += _undeclared_suspects(ours, theirs)
    # Attributes of other components stay suspects beside them: their load_state_dict may be what is broken.
    modules = [s for s in declared if isinstance(saved.components.get(s.path), torch.nn.Module) or not s.declared]
    named = {mismatch.path for suspect in modules for mismatch in suspect.all}
    found = [
        *declared,
        *_ambient_suspects(saved, loaded),
        *(suspect for suspect in _hidden_suspects(ours, theirs) if suspect.path not in named),
        *(Suspect(path=m.path, mismatch=m, move=None) for m in sharing_mismatches(saved, loaded, ours, theirs)),
    ]
    # Most programs zero their gradients before they are read, few generators are seen through, and each run has
    # a folder of its own.
    found.sort(key=lambda s: (s.path.endswith(".grad"), not s.seen, leads_to_files(s.mismatch), s.iterates))
    return found, max(ours.cut, theirs.cut)


def graph_of(run: LiveRun) -> Graph:
    """Walk everything that a run's components and functions reach."""
    definition = run.definition
    functions = {"step": definition.step, "save": definition.save, "load": definition.load}
    return walk_graph(run.components, {**functions, "predict": definition.predict})


def picture(run: LiveRun) -> dict[str, Any]:
    """Return frozen copies of everything a run is made of, declared or hidden, and the random state, by path."""
    slots = {path: freeze(comparable(slot.value)) for path, slot in graph_of(run).slots.items()}
    modes = {
        f"{name}.{prefix}.training" if prefix else f"{name}.training": part.training
        for name, module in run.components.items()
        if isinstance(module, torch.nn.Module)
        for prefix, part in module.named_modules()
    }
    declared = dict(capture(run.components, hidden=False).state.items())
    return {**slots, **modes, **declared, "rng": get_random_state()}


def _component_suspects(saved: Mapping[str, Any], loaded: Mapping[str, Any]) -> Iterator[Suspect]:
    ours, theirs = capture(saved, hidden=False), capture(loaded, hidden=False)
    for name in load_order(saved):
        if name in theirs.state:
            diff = compare({name: ours.state[name]}, {name: theirs.state[name]}, traits=False)
        else:
            diff = compare({name: ours.state[name]}, {}, traits=False)
        if diff:
            yield Suspect(
                path=name,
                mismatch=diff.mismatches[0],
                move=_move_component(name) if name in loaded else None,
                declared=True,
                all=diff.mismatches,
            )


def _move_component(name: str) -> Callable[[LiveRun, LiveRun], None]:
    def move(saved: LiveRun, loaded: LiveRun) -> None:
        state = capture(saved.components, hidden=False).raw[name]
        restore_component(name, loaded.components[name], freeze(state))

    return move


def _undeclared_suspects(ours: Graph, theirs: Graph) -> Iterator[Suspect]:
    both = [path for path in ours.undeclared if path in theirs.undeclared]
    for path in both:
        mine, other = capture({path: ours.undeclared[path]}, hidden=False), theirs.undeclared[path]
        diff = compare(mine.state, capture({path: other}, hidden=False).state, traits=False)
        if diff:
            yield Suspect(path=path, mismatch=diff.mismatches[0], move=_move_undeclared(path), all=diff.mismatches)


def _move_undeclared(path: str) -> Callable[[LiveRun, LiveRun], None]:
    def move(saved: LiveRun, loaded: LiveRun) -> None:
        state = capture({path: graph_of(saved).undeclared[path]}, hidden=False).raw[path]
        restore_component(path, graph_of(loaded).undeclared[path], freeze(state))

    return move


def _ambient_suspects(saved: LiveRun, loaded: LiveRun) -> Iterator[Suspect]:
    for path, state in saved.ambient.items():
        diff = compare({path: state}, {path: loaded.ambient.get(path)}, traits=False)
        if diff:
            name = path.removeprefix("rng.")
            mismatch = diff.mismatches[0]
            if path.startswith("rng.") or isinstance(state, ObjectPicture):
                words = f"the random state of {name} when the run was saved"
                mismatch = Mismatch(path=path, kind="value", expected=words, actual="another one")
            yield Suspect(path=path, mismatch=mismatch, move=_leave, ambient=True)


def _leave(saved: LiveRun, loaded: LiveRun) -> None:
    """Move nothing: what is global is restored by the plan."""


def _hidden_suspects(ours: Graph, theirs: Graph) -> Iterator[Suspect]:
    for path, slot in ours.slots.items():
        if path in theirs.slots:
            diff = compare(comparable(slot.value), comparable(theirs.slots[path].value), traits=False)
        elif slot.owner in theirs.objects and slot.value is not None:
            # Without the attribute the class has a default, or the program a fallback.
            diff = compare({"": comparable(slot.value)}, {}, traits=False)
        else:
            continue
        move = _move_slot(path) if slot.assign else None
        if diff:
            first = diff.mismatches[0]
            mismatch = replace(first, path=path + _joined(first.path))
            yield Suspect(path=path, mismatch=mismatch, move=move, iterates=hasattr(type(slot.value), "__next__"))
        elif isinstance(slot.value, GeneratorType) and move is not None:
            # What a `for` inside a generator has reached lies on the frame's stack, out of sight.
            mismatch = Mismatch(path=path, kind="value", expected="its position", actual="perhaps another")
            yield Suspect(path=path, mismatch=mismatch, move=move, seen=False)


def leads_to_files(mismatch: Mismatch) -> bool:
    """Whether what differs is the name of a file or a folder: each run has its own."""
    return bool(re.match(r"""['"]?(Posix|Windows)?(Path\()?['"]?(/|[A-Z]:\\)""", mismatch.expected))


def _joined(path: str) -> str:
    path = path.lstrip(".")
    return f".{path}" if path and not path.startswith("[") else path


def comparable(value: Any) -> Any:
    """Return what to compare of a slot's value: a generator's state, an iterator's position, data as it is."""
    if is_opaque(value):
        return position_of(value)
    if isinstance(value, deque):
        return {"": list(value), "maxlen": value.maxlen}
    if isinstance(value, dict | set):
        # Training may walk them in their order, which no state dict is asked to keep.
        return {"": value, "order": list(value)} if all(isinstance(key, str | int) for key in value) else value
    state = generator_state(value)
    if (seeds := getattr(getattr(value, "bit_generator", None), "seed_seq", None)) is not None:
        return {**state, "spawned": getattr(seeds, "n_children_spawned", 0)}  # numpy.random.Generator.spawn()
    return value if state is None else state


def _move_slot(path: str) -> Callable[[LiveRun, LiveRun], None]:
    def move(saved: LiveRun, loaded: LiveRun) -> None:
        slot, target = graph_of(saved).slots.get(path), graph_of(loaded)
        if slot is None:
            return
        there = target.slots.get(path)
        if there is None or not fill(there.value, slot.value):
            target.put(slot, slot.value)

    return move
