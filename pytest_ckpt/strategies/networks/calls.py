"""Recipes of modules: frozen data from which the same module is built any number of times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from pytest_ckpt.strategies.networks.drawn_module import DrawnModule
from pytest_ckpt.strategies.networks.shapes import Shape

__all__ = ["Call", "ModuleRecipe", "call", "in_a_row"]

_PREFIXES = {"torch.nn.modules": "nn.", "torch.nn.utils.parametrizations": "parametrizations."}


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Call:
    """A call that has not been made yet. Its ``repr`` is the Python that makes it.

    Attributes:
        make: What to call: a class or a function that can be imported, so that the call can be pickled.
        arguments: By position. Calls among them are made first.
        options: By keyword, as pairs.
    """

    make: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...]

    def build(self) -> Any:
        """Make the call."""
        arguments = [_built(value) for value in self.arguments]
        return self.make(*arguments, **{name: _built(value) for name, value in self.options})

    def __repr__(self) -> str:
        words = [*map(repr, self.arguments), *(f"{name}={value!r}" for name, value in self.options)]
        return f"{_name(self.make)}({', '.join(words)})"


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class ModuleRecipe:
    """A module that is not built yet. Its ``repr`` is the Python that builds it.

    Attributes:
        body: The call that makes the module.
        inputs: The kind and the sizes of the module's input.
        kinds: The names of the kinds of layers in it, sorted.
        registered: Whether modules of other projects are in it.
    """

    body: Call
    inputs: Shape
    kinds: tuple[str, ...] = field(compare=False)
    registered: bool = field(default=False, compare=False)

    def build(self) -> DrawnModule:
        """Build the module; its weights are drawn from torch's global generator, as those of any module."""
        return DrawnModule(self.body.build(), self.inputs)

    def example_inputs(self, seed: int = 0) -> tuple[torch.Tensor]:
        """Return what :meth:`DrawnModule.example_inputs` of the module returns."""
        return (self.inputs.example(torch.Generator().manual_seed(seed)),)

    def __repr__(self) -> str:
        return f"DrawnModule({self.body!r}, inputs={self.inputs!r})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis would print the fields, and not the Python that builds the module.
        printer.text(repr(self))


def call(make: Callable[..., Any], *arguments: Any, **options: Any) -> Call:
    """Return the call ``make(*arguments, **options)``, not made yet."""
    return Call(make=make, arguments=arguments, options=tuple(options.items()))


def in_a_row(calls: list[Call]) -> Call:
    """Return the only call, or ``nn.Sequential`` of all."""
    return calls[0] if len(calls) == 1 else call(torch.nn.Sequential, *calls)


def _built(value: Any) -> Any:
    return value.build() if isinstance(value, Call | ModuleRecipe) else value


def _name(make: Callable[..., Any]) -> str:
    module, name = getattr(make, "__module__", ""), getattr(make, "__qualname__", repr(make))
    return next((prefix for start, prefix in _PREFIXES.items() if module.startswith(start)), "") + name
