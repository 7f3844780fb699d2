"""``LiveRun``: a built run, with every call into the project's code in one place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from pytest_ckpt.errors import UsageError
from pytest_ckpt.runs.discovery import stateful_attributes
from pytest_ckpt.runs.training_run import MakeRun, TrainingRun
from pytest_ckpt.state.capture import is_stateful
from pytest_ckpt.state.freezing import freeze
from pytest_ckpt.state.naming import is_optimizer_like
from pytest_ckpt.state.random_state import seed_everything

__all__ = ["LiveRun", "Record", "as_training_run", "build", "require_factory", "takes_device"]

Record = dict[str, Any]


def as_training_run(made: Any) -> TrainingRun:
    """Describe what ``make_run`` returned: a run, a module, a mapping, or an object that holds stateful ones.

    Raises:
        UsageError: If nothing in it is stateful.
    """
    if isinstance(made, TrainingRun):
        return made
    if isinstance(made, torch.nn.Module):
        return TrainingRun(components={"model": made}, name=type(made).__qualname__)
    if isinstance(made, Mapping):
        return TrainingRun(components=made)
    if made is None:
        raise UsageError("make_run returned None. Return a TrainingRun, a module, a mapping or a trainer.")
    if is_stateful(made):
        return TrainingRun(components={type(made).__name__.lower(): made}, name=type(made).__qualname__)
    return TrainingRun(components=lambda: stateful_attributes(made), name=type(made).__qualname__)


def require_factory(make_run: Any) -> None:
    """Raise if ``make_run`` is an object and not a function that makes one.

    Raises:
        UsageError: If it is.
    """
    if not callable(make_run) or isinstance(make_run, torch.nn.Module):
        raise UsageError(
            f"make_run is a {type(make_run).__qualname__}; a check takes a factory, not an object: a function "
            "without arguments that makes a fresh run at each call."
        )


def takes_device(make_run: object) -> bool:
    """Whether a run can be made on a device that is asked for: by a parameter ``device``."""
    try:
        return callable(make_run) and "device" in inspect.signature(make_run).parameters
    except ValueError:  # a builtin without a signature
        return False


def build(make_run: MakeRun, seed: int) -> LiveRun:
    """Seed every random generator and make a run.

    Raises:
        UsageError: If ``make_run`` is not a function or returns nothing that can be tested.
    """
    require_factory(make_run)
    seed_everything(seed)
    return LiveRun(as_training_run(make_run()))


class LiveRun:
    """A built run.

    Attributes:
        definition: The run as its author described it.
        steps_done: How many training steps this object has taken, or its checkpoint had.
        replaced: Components that ``load`` replaced, where a mapping cannot know of it.
        ambient: What was global when somebody last noted it here: random state, shared generators.
    """

    def __init__(self, definition: TrainingRun) -> None:
        self.definition = definition
        self.steps_done = 0
        self.ambient: dict[str, Any] = {}
        self.replaced: dict[str, Any] = {}
        self._components = definition.components

    @property
    def components(self) -> dict[str, Any]:
        """The components as they are now."""
        found = self._components() if callable(self._components) else self._components
        if not isinstance(found, Mapping):
            raise UsageError(f"components() returned a {type(found).__qualname__}, not a mapping.")
        return {**found, **self.replaced}

    def train(self, until: int) -> list[Record]:
        """Train to step ``until`` and return a record per step: its output and the learning rates after it."""
        records = []
        while self.steps_done < until:
            output = self._numbered_step(self.steps_done)
            if inspect.isawaitable(output) or inspect.isgenerator(output):
                raise UsageError(
                    f"step({self.steps_done}) returned a {type(output).__name__} and has not run. Give TrainingRun a "
                    "step that trains when it is called, such as lambda i: asyncio.run(step(i))."
                )
            output = freeze(output)
            self.steps_done += 1
            records.append({"output": output, "lr": self.learning_rates()})
        return records

    @cached_property
    def _numbered_step(self) -> Callable[[int], Any]:
        # Asked for by the first training step: many runs are made to be loaded into, and take none.
        return _numbered(self.definition.step)

    def learning_rates(self) -> dict[str, list[Any]]:
        """Return each optimizer's learning rates, one per group."""
        return {
            name: [freeze(group.get("lr")) for group in item.param_groups]
            for name, item in self.components.items()
            if is_optimizer_like(item)
        }

    def predict(self) -> Any:
        """Return the run's prediction in eval mode, without gradients."""
        if self.definition.predict is None:
            return None
        with self.eval_mode(), torch.no_grad():
            return freeze(self.definition.predict())

    @contextmanager
    def eval_mode(self) -> Iterator[None]:
        """Put every module component in eval mode; afterwards each part is in its own mode again."""
        modules = [item for item in self.components.values() if isinstance(item, torch.nn.Module)]
        modes = [(part, part.training) for module in modules for part in module.modules()]
        for module in modules:
            module.eval()
        try:
            yield
        finally:
            for part, mode in modes:
                part.training = mode

    def save(self, path: Path) -> None:
        """Call the project's own save."""
        assert self.definition.save is not None
        _call_with_path(self.definition.save, path)

    def load(self, path: Path) -> object:
        """Call the project's own load, and return what it returns."""
        assert self.definition.load is not None
        return _call_with_path(self.definition.load, path)


def _call_with_path(function: Callable[[Any], object], path: Path) -> object:
    """Call with a ``Path``, and once more with a string if the function can only join strings."""
    try:
        return function(path)
    except (TypeError, AttributeError) as error:
        if type(path).__name__ not in str(error):
            raise
        return function(str(path))


def _numbered(step: Callable[..., Any] | None) -> Callable[[int], Any]:
    """Return ``step`` as a function of the step's number; one without parameters is called without it."""
    if step is None:
        return lambda number: None
    try:
        inspect.signature(step).bind(0)
    except TypeError:
        return lambda number: step()
    except ValueError:  # a builtin without a signature
        return step
    return step
