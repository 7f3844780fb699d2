"""From a class to a run that the checks can be applied to, or to the reason why there is none."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import torch

from pytest_ckpt.packages.building import NoValue, Recipe, recipes, working_recipes
from pytest_ckpt.packages.feeding import run_of
from pytest_ckpt.packages.finding import FoundClass
from pytest_ckpt.packages.guarding import Refused, guarded, in_a_line
from pytest_ckpt.packages.inputs import feeds
from pytest_ckpt.runs import MakeRun, build, isolated, scheduler_run
from pytest_ckpt.runs.parts import call_module, training_with

__all__ = ["Built", "NotBuilt", "try_class"]

_CLASS_SECONDS = 60
_ATTEMPT_SECONDS = 10
_SEED = 20_260_102
_PROBE_STEPS = 6  # as many as the checks train, unless they are asked for more: the inputs are the same
_MOST_RECIPES = 6
_WIDEST = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """A run around a class.

    Attributes:
        make_run: Makes it.
        how: How the class was built and called.
    """

    make_run: MakeRun
    how: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NotBuilt:
    """Why a class is not checked.

    Attributes:
        reason: Such as ``abstract: it has no forward()``; what stands before the colon is its kind.
    """

    reason: str


_STAGES = (_CONSTRUCTOR, _INPUT, _USE) = ("constructor raises", "no input fits", "cannot be used")


@dataclass(kw_only=True, slots=True)
class _Failure:
    """The error of the attempt that got furthest."""

    reason: str = ""
    reached: tuple[int, int] = (-1, 0)

    def note(self, stage: str, how: object, error: BaseException) -> None:
        depth = len(traceback.extract_tb(error.__traceback__)) if not isinstance(error, Refused) else 0
        reached = _STAGES.index(stage), depth
        if reached > self.reached:
            self.reason, self.reached = f"{stage}: {how}: {in_a_line(error)}", reached


def try_class(found: FoundClass) -> Built | NotBuilt:
    """Build a class and train it for a few steps, in one way after the other until one works."""
    if found.left_out:
        return NotBuilt(reason=found.left_out)
    failure = _Failure()
    try:
        with isolated(), guarded(_CLASS_SECONDS):
            for how, make_run in _ATTEMPTS[found.kind](found.cls, failure):
                try:
                    with guarded(_ATTEMPT_SECONDS):
                        _require_use(make_run)
                    return Built(make_run=make_run, how=how)
                except (Exception, Refused) as error:
                    failure.note(_USE, how, error)
    except NoValue as error:
        return NotBuilt(reason=f"no arguments known: {error}")
    except Refused as error:
        return NotBuilt(reason=f"out of bounds: {in_a_line(error)}")
    except Exception as error:  # A signature that cannot be read, an annotation that raises.
        return NotBuilt(reason=f"cannot be tried: {in_a_line(error)}")
    return NotBuilt(reason=failure.reason or "cannot be used: nothing could be tried")


class NotFinite(Exception):
    """What a class returned holds infinite numbers or none, so nothing could be compared."""


def _require_use(make_run: MakeRun) -> None:
    run = build(make_run, _SEED)
    records = run.train(_PROBE_STEPS)
    run.predict()
    if not all(map(_is_finite, records)):
        raise NotFinite("what it returns is not finite")


def _is_finite(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return not value.is_floating_point() or bool(value.isfinite().all())
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or value - value == 0


def _modules(cls: type[Any], failure: _Failure) -> Iterator[tuple[str, MakeRun]]:
    def failed(recipe: Recipe, error: BaseException) -> None:
        failure.note(_CONSTRUCTOR, recipe, error)

    for recipe, (module, given) in islice(working_recipes(cls, failed), _MOST_RECIPES):
        for feed in feeds(module, _widths(module, given)):
            try:
                with guarded(_ATTEMPT_SECONDS), torch.no_grad():
                    call_module(module, feed.make())
            except (Exception, Refused) as error:
                failure.note(_INPUT, f"{recipe}, called with {feed}", error)
                continue
            yield f"{recipe}, called with {feed}", run_of(recipe, feed)


def _widths(module: torch.nn.Module, given: Mapping[str, Any]) -> list[int]:
    own = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    numbers = [value for value in (*given.values(), *own.values()) if type(value) is int and 0 < value <= _WIDEST]
    return [*numbers, *(len(value) for value in given.values() if isinstance(value, list))]


def _optimizers(cls: type[Any], failure: _Failure) -> Iterator[tuple[str, MakeRun]]:
    for recipe in recipes(cls, skip=1):
        for words, first in _FIRST.items():
            make = _maker(recipe, first)
            for closure, create_graph in ((False, False), (True, False), (False, True)):
                how = f"{recipe} of {words}"
                yield how, training_with(make, closure=closure, create_graph=create_graph)


def _maker(recipe: Recipe, first: Callable[[list[torch.nn.Parameter]], Any]) -> Callable[..., Any]:
    def make(parameters: list[torch.nn.Parameter]) -> Any:
        optimizer, _ = recipe.made_of((first(parameters),))
        if callable(getattr(optimizer, "train", None)) and callable(getattr(optimizer, "eval", None)):
            optimizer.train()  # As schedulefree asks for before the first step.
        return optimizer

    return make


def _in_groups(parameters: list[torch.nn.Parameter]) -> list[dict[str, Any]]:
    matrices = [parameter for parameter in parameters if parameter.ndim >= 2]
    others = [parameter for parameter in parameters if parameter.ndim < 2]
    return [{"params": matrices, "use_muon": True}, {"params": others, "use_muon": False}]


_FIRST: dict[str, Callable[[list[torch.nn.Parameter]], Any]] = {
    "parameters": lambda parameters: parameters,
    "groups with use_muon": _in_groups,
    "an AdamW": lambda parameters: torch.optim.AdamW(parameters, lr=1e-2),
}


def _schedulers(cls: type[Any], failure: _Failure) -> Iterator[tuple[str, MakeRun]]:
    for recipe in recipes(cls, skip=1):
        yield f"{recipe} of an AdamW", scheduler_run(partial(_schedule, recipe))


def _schedule(recipe: Recipe, optimizer: torch.optim.Optimizer) -> Any:
    return recipe.made_of((optimizer,))[0]


_ATTEMPTS = {"module": _modules, "optimizer": _optimizers, "scheduler": _schedulers}
