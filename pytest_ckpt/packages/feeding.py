"""Runs around a module: what trains it, what it is called with, and what its kind asks for besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch

from pytest_ckpt.packages.building import Recipe
from pytest_ckpt.packages.inputs import Feed
from pytest_ckpt.runs import MakeRun, TrainingRun, module_run
from pytest_ckpt.runs.parts import call_module, inputs_of_step

__all__ = ["run_of"]


def run_of(recipe: Recipe, feed: Feed) -> MakeRun:
    """Return a ``make_run`` that makes a module by a recipe and trains it on inputs of one kind.

    A metric is called on batches. A module that was given others and does not own them, such as an average of
    weights, is saved along with these.
    """

    def make_run() -> TrainingRun:
        module, given = recipe.made_of()
        _declare_persistent(module)
        if is_metric(module):
            return _metric_run(module, feed)
        run: Any = module_run(lambda: module, inputs=feed.make)()
        parts = _foreign_parts(module, given)
        with_parts: TrainingRun = replace(
            run,
            components={**parts, **run.components},
            step=_training(module, run.step, given),
        )
        return with_parts

    return make_run


def is_metric(module: torch.nn.Module) -> bool:
    """Whether a module adds up what it sees, as those of torchmetrics do."""
    return all(callable(getattr(module, name, None)) for name in ("update", "compute", "reset"))


def _metric_run(metric: Any, feed: Feed) -> TrainingRun:
    def step(number: int) -> dict[str, Any]:
        # In turn, since they are two ways for the state: a call keeps what it had aside, update() adds to it.
        batch = call_module(metric.update if number % 2 else metric, inputs_of_step(feed.make, number))
        _declare_persistent(metric)
        return {"batch": batch, "total": metric.compute()}

    return TrainingRun(components={"metric": metric}, step=step, predict=metric.compute, name=type(metric).__qualname__)


def _declare_persistent(module: Any) -> None:
    """Ask for the state to be in the state dict: torchmetrics leaves it out otherwise, and says so."""
    for part in module.modules():  # A wrapper around a metric does not pass it on.
        if callable(persistent := getattr(part, "persistent", None)):
            persistent(True)


def _foreign_parts(module: torch.nn.Module, given: Mapping[str, Any]) -> dict[str, torch.nn.Module]:
    owned = set(module.modules())
    parts = {name: part for name, part in given.items() if isinstance(part, torch.nn.Module) and part not in owned}
    return {f"{name}_given": part for name, part in parts.items()}


def _training(module: Any, step: Callable[[int], Any], given: Mapping[str, Any]) -> Callable[[int], Any]:
    models = [part for part in given.values() if isinstance(part, torch.nn.Module)]
    update = getattr(module, "update", None) if models else None
    if not callable(update):
        return step

    def follow(number: int) -> Any:
        for model in models:
            _move(model, number)
        update()
        return step(number)

    return follow


def _move(model: torch.nn.Module, number: int) -> None:
    """Train a model a little, without an optimizer that would have state."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 - 0.1 / (number + 1))
