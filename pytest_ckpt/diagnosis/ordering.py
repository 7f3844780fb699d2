"""Known wrong orders of building and loading optimizers and learning-rate schedulers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from pytest_ckpt.runs import build
from pytest_ckpt.state.naming import is_optimizer_like
from pytest_ckpt.trips import Plan, fresh_seed

__all__ = ["WrongOrder", "find_wrong_order"]


@dataclass(frozen=True, kw_only=True, slots=True)
class WrongOrder:
    """An order of building and loading that cannot be right.

    Attributes:
        what: What load does, in one sentence.
        remedy: The order that is right.
        causes: The components it spoils.
    """

    what: str
    remedy: str
    causes: tuple[str, ...]


def find_wrong_order(plan: Plan, at: int, path: Path) -> WrongOrder | None:
    """Load a checkpoint once more and watch what is built and loaded when.

    Building a scheduler sets the learning rates anew (``LRScheduler.__init__``), whatever was loaded before.
    """
    run = build(plan.make_run, fresh_seed(at))
    with _watching() as events:
        plan.load(run, path)
    names = {id(item): name for name, item in run.components.items()}
    for scheduler, optimizer in _built_too_late(events):
        kind = type(scheduler).__name__
        return WrongOrder(
            what=f"load builds a {kind} after it has loaded the optimizer: building one sets the learning rate anew.",
            remedy="Build the scheduler first, then load the optimizer's state, then the scheduler's.",
            causes=tuple(names[id(item)] for item in (optimizer, scheduler) if id(item) in names),
        )
    for name, scheduler in run.components.items():
        if _drives_another(scheduler, run.components):
            return WrongOrder(
                what=f"After loading, {name} drives an optimizer that is no component of the run any more.",
                remedy=f"Build {name} again for the optimizer that load made, then load the state of both.",
                causes=(name,),
            )
    return None


def _built_too_late(events: list[tuple[str, Any, Any]]) -> Iterator[tuple[Any, Any]]:
    for place, (event, scheduler, optimizer) in enumerate(events):
        loads = [index for index, (what, _, loaded) in enumerate(events) if what == "loaded" and loaded is optimizer]
        if event == "built" and loads and max(loads) < place:
            yield scheduler, optimizer


def _drives_another(scheduler: Any, components: Mapping[str, Any]) -> bool:
    if is_optimizer_like(scheduler) or not hasattr(scheduler, "last_epoch"):
        return False
    driven = getattr(scheduler, "optimizer", None)
    optimizers = [item for item in components.values() if is_optimizer_like(item)]
    wrapped = [getattr(item, "optimizer", None) for item in optimizers]
    return driven is not None and bool(optimizers) and not any(driven is item for item in (*optimizers, *wrapped))


@contextmanager
def _watching() -> Iterator[list[tuple[str, Any, Any]]]:
    """Note each scheduler that is built and each optimizer that is loaded in the body, with the optimizer."""
    events: list[tuple[str, Any, Any]] = []
    build_scheduler: Any = LRScheduler.__init__
    load_optimizer: Any = torch.optim.Optimizer.load_state_dict

    def built(self: LRScheduler, optimizer: Any, *args: Any, **options: Any) -> None:
        build_scheduler(self, optimizer, *args, **options)
        events.append(("built", self, optimizer))

    def loaded(self: torch.optim.Optimizer, *args: Any, **options: Any) -> None:
        load_optimizer(self, *args, **options)
        events.append(("loaded", self, self))

    LRScheduler.__init__, torch.optim.Optimizer.load_state_dict = built, loaded  # type: ignore[method-assign]
    try:
        yield events
    finally:
        LRScheduler.__init__ = build_scheduler  # type: ignore[method-assign]
        torch.optim.Optimizer.load_state_dict = load_optimizer  # type: ignore[method-assign]
