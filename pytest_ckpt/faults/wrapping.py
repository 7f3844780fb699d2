"""Putting a bug into the runs of a ``make_run``, whatever they are made of."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from pytest_ckpt.formats import get_format
from pytest_ckpt.runs import LiveRun, MakeRun, TrainingRun, as_training_run, require_factory
from pytest_ckpt.runs.storage import format_storage

__all__ = ["After", "Before", "Change", "after_loading", "after_saving", "injecting", "take_step"]

Change: TypeAlias = Callable[[TrainingRun], TrainingRun]
Before: TypeAlias = Callable[[LiveRun], Any]
After: TypeAlias = Callable[[LiveRun, Any], None]


def injecting(change: Change) -> Callable[[MakeRun], MakeRun]:
    """Return a function that makes a broken ``make_run`` of a good one.

    Args:
        change: Makes a run with a bug of one without; it always gets a run with ``save`` and ``load``.
    """
    return functools.partial(_inject, change)


def _inject(change: Change, make_run: MakeRun) -> MakeRun:
    require_factory(make_run)
    # A partial, unlike a closure of this package, is looked into: what the runs share has to stay known.
    return functools.update_wrapper(functools.partial(_make_broken, make_run, change), make_run)


def _make_broken(make_run: Callable[..., Any], change: Change, *args: Any, **kwargs: Any) -> TrainingRun:
    definition = as_training_run(make_run(*args, **kwargs))
    name = definition.name or str(getattr(make_run, "__qualname__", type(make_run).__qualname__))
    return change(_with_storage(replace(definition, name=name)))


def _with_storage(definition: TrainingRun) -> TrainingRun:
    if definition.save is not None:
        return definition
    storage, live = format_storage(get_format("torch-full")), LiveRun(definition)
    return replace(definition, save=functools.partial(storage.save, live), load=functools.partial(storage.load, live))


def after_loading(after: After, before: Before | None = None) -> Change:
    """Return a change that does something after each load.

    Args:
        after: Called as ``after(run, noted)``.
        before: ``noted = before(run)`` is called before the load.
    """
    return functools.partial(_change_load, before, after)


def _change_load(before: Before | None, after: After, definition: TrainingRun) -> TrainingRun:
    return replace(definition, load=functools.partial(_load, LiveRun(definition), before, after))


def _load(run: LiveRun, before: Before | None, after: After, path: Path) -> None:
    noted = None if before is None else before(run)
    run.load(path)
    after(run, noted)


def after_saving(after: After) -> Change:
    """Return a change that does something to the live run after each save."""
    return functools.partial(_change_save, after)


def _change_save(after: After, definition: TrainingRun) -> TrainingRun:
    return replace(definition, save=functools.partial(_save, LiveRun(definition), after))


def _save(run: LiveRun, after: After, path: Path) -> None:
    run.save(path)
    after(run, None)


def take_step(run: LiveRun, number: int) -> Any:
    """Take one training step in a run that only keeps the functions: the caller counts."""
    done, run.steps_done = run.steps_done, number
    try:
        return run.train(number + 1)[0]["output"]
    finally:
        run.steps_done = done
