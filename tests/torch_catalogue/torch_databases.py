"""torch's own databases of modules and optimizers: private, so everything that knows of them is here."""

from __future__ import annotations

import copy
import hashlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import BuiltinFunctionType, FunctionType
from typing import Any
from unittest.mock import patch

import torch

from pytest_ckpt.state import get_random_state, seed_everything, set_random_state

_SEED = 7


class DatabaseMissing(Exception):
    """This torch has no such database, or its package ``expecttest`` is not installed."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ModuleSample:
    """One way to make a module, and inputs for it."""

    module_class: type[torch.nn.Module]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    inputs: Mapping[str, Any]
    training: bool

    def make(self) -> torch.nn.Module:
        """Make a module that shares nothing with the next one, though arguments may become buffers."""
        module = self.module_class(*copy.deepcopy(self.args), **copy.deepcopy(dict(self.kwargs)))
        return module.to(torch.float32)  # as torch's own tests do: some of the arguments are doubles

    def make_inputs(self) -> dict[str, Any]:
        """Return the keyword arguments of forward; a copy, because some modules work in place."""
        return copy.deepcopy(dict(self.inputs))

    @property
    def call(self) -> str:
        """How it is made: the same words mean the same arguments, but for what tensors and modules among them hold."""
        arguments = [self._spell(value) for value in self.args]
        arguments += [f"{key}={self._spell(value)}" for key, value in self.kwargs.items() if key != "device"]
        return f"{self.module_class.__name__}({', '.join(arguments)})"

    def _spell(self, value: Any) -> str:
        if isinstance(value, torch.Tensor):
            return f"tensor{list(value.shape)}"
        if isinstance(value, torch.nn.Module):  # the text of a module does not hold all its arguments
            return f"{type(value).__name__} {_settings_digest(value)}"
        return value.__name__ if inspect.isfunction(value) or inspect.isbuiltin(value) else repr(value)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OptimizerConfiguration:
    """One way to make an optimizer."""

    optimizer_class: type[torch.optim.Optimizer]
    description: str
    kwargs: Mapping[str, Any]

    def make(self, parameters: Any) -> torch.optim.Optimizer:
        """Make an optimizer that shares nothing with the next one, though a learning rate may be a tensor."""
        return self.optimizer_class(parameters, **copy.deepcopy(dict(self.kwargs)))


@cache
def module_samples() -> dict[str, tuple[ModuleSample, ...]]:
    """Return every input of every module class in ``module_db``, by the name of the class.

    Raises:
        DatabaseMissing: If this torch has none.
    """
    with _seeded():
        return {info.name: tuple(_samples(info)) for info in _find("common_modules", "module_db")}


@cache
def optimizer_configurations() -> dict[str, tuple[OptimizerConfiguration, ...]]:
    """Return every configuration of every optimizer in ``optim_db``, by the name of the class.

    Raises:
        DatabaseMissing: If this torch has none.
    """
    inputs_of = _find("common_optimizers", "_get_optim_inputs_including_global_cliquey_kwargs")
    with _seeded():
        return {
            info.name: tuple(
                OptimizerConfiguration(optimizer_class=info.optim_cls, description=item.desc, kwargs=item.kwargs)
                for item in inputs_of("cpu", torch.float32, info)
            )
            for info in _find("common_optimizers", "optim_db")
        }


def _find(module: str, name: str) -> Any:
    try:
        # Without the patch every later assignment to torch.backends would raise, in other tests of the process as well.
        with patch.object(torch.backends, "disable_global_flags"):
            return getattr(import_module(f"torch.testing._internal.{module}"), name)
    except (ImportError, AttributeError) as error:
        raise DatabaseMissing(f"torch {torch.__version__} offers no {name} ({error})") from error


def _samples(info: Any) -> Iterator[ModuleSample]:
    for training in (True, False) if info.train_and_eval_differ else (True,):
        for item in info.module_inputs_func(
            info, device="cpu", dtype=torch.float32, requires_grad=False, training=training
        ):
            yield ModuleSample(
                module_class=info.module_cls,
                args=item.constructor_input.args,
                kwargs=item.constructor_input.kwargs,
                inputs=_by_keyword(info.module_cls, item.forward_input),
                training=training,
            )


def _by_keyword(module_class: type[torch.nn.Module], call: Any) -> Mapping[str, Any]:
    bound = inspect.signature(module_class.forward).bind(None, *call.args, **call.kwargs)
    _, *names = bound.arguments
    return {name: bound.arguments[name] for name in names}


def _settings_digest(module: torch.nn.Module) -> str:
    """Return a short name for what a module was made with; its text leaves out some of that."""
    kinds = (bool, int, float, str, FunctionType, BuiltinFunctionType)
    settings = [
        (name, key, getattr(value, "__name__", repr(value)))
        for name, part in module.named_modules()
        for key, value in sorted(vars(part).items())
        if isinstance(value, kinds)
    ]
    settings += [(name, "shape", str(tensor.shape)) for name, tensor in module.state_dict().items()]
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:6]


@contextmanager
def _seeded() -> Iterator[None]:
    """Draw the same tensors in each process, whatever was drawn before."""
    before = get_random_state()
    seed_everything(_SEED)
    try:
        yield
    finally:
        set_random_state(before)
