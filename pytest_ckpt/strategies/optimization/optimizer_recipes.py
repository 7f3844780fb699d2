"""Optimizers as data: drawn once, built as often as a run is made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from torch.nn import Parameter
from torch.optim import Optimizer

from pytest_ckpt.errors import UsageError
from pytest_ckpt.strategies.optimization.choices import Arguments, Options, draw_arguments
from pytest_ckpt.strategies.optimization.optimizer_kinds import Gradients, OptimizerKind, optimizer_kinds
from pytest_ckpt.strategies.optimization.symbols import ScalarTensor, resolve
from pytest_ckpt.strategies.state.drawing import PROGRAM_BLOCK, AtOnce, Numbers, draw_block

__all__ = ["OptimizerRecipe", "Wanted", "draw_recipe", "optimizer_recipes"]


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class OptimizerRecipe:
    """An optimizer that can be built any number of times.

    Attributes:
        cls: The class.
        options: Its keyword arguments.
        groups: What each param group has otherwise; empty for a plain list of parameters. The parameters are
            dealt out to the groups in turn.
        named: Whether the optimizer is told the names of its parameters.
        gradients: What the gradients must be.
        needs_closure: Whether ``step`` must be given a closure.
        matrices_only: Whether only parameters of two dimensions are taken; the others are left out.
    """

    cls: type[Optimizer]
    options: Options
    groups: tuple[Options, ...] = ()
    named: bool = False
    gradients: Gradients = "dense"
    needs_closure: bool = False
    matrices_only: bool = False

    def build(self, named_parameters: Sequence[tuple[str, Parameter]]) -> Optimizer:
        """Make an optimizer of these parameters.

        With fewer parameters than groups, there are as many groups as parameters.

        Raises:
            UsageError: If it takes none of the parameters.
        """
        taken = [pair for pair in named_parameters if self.takes(pair[1])]
        if not taken:
            shapes = ", ".join(f"{name} {tuple(parameter.shape)}" for name, parameter in named_parameters)
            raise UsageError(
                f"{self!r} takes none of the parameters ({shapes or 'there are none'}). Give it at least one"
                f"{' of two dimensions' if self.matrices_only else ''}."
            )
        entries = taken if self.named else [parameter for _, parameter in taken]
        count = min(len(self.groups), len(taken))
        if not count:
            return self.cls(entries, **resolve(self.options))
        groups = [
            # In full: a learning rate in a tensor must not be shared by the groups, whom schedulers fill in turn.
            {**resolve({**self.options, **self.groups[index]}), "params": entries[index::count]}
            for index in range(count)
        ]
        return self.cls(groups, **resolve(self.options))

    def takes(self, parameter: Parameter) -> bool:
        """Return whether a parameter is among those that it optimizes."""
        return not self.matrices_only or parameter.ndim == 2

    def __repr__(self) -> str:
        noun = f"{'named_' if self.named else ''}{'matrices' if self.matrices_only else 'parameters'}"
        count = len(self.groups)
        groups = [
            "{" + ", ".join([f"'params': {noun}[{index}::{count}]", *(f"{k!r}: {v!r}" for k, v in group.items())]) + "}"
            for index, group in enumerate(self.groups)
        ]
        arguments = [f"[{', '.join(groups)}]" if groups else noun, *(f"{k}={v!r}" for k, v in self.options.items())]
        home = "torch.optim." if f"{self.cls.__module__}.".startswith("torch.optim.") else ""
        return f"{home}{self.cls.__qualname__}({', '.join(arguments)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # Hypothesis would print every field of a dataclass


def optimizer_recipes(
    *,
    classes: Collection[type[Optimizer]] | None = None,
    gradients: Gradients = "dense",
    complex_parameters: bool = False,
    matrices: bool = True,
    named: bool | None = None,
    min_groups: int = 1,
    max_groups: int = 3,
) -> SearchStrategy[OptimizerRecipe]:
    """Generate recipes of optimizers.

    Shrinks towards ``torch.optim.SGD(parameters)``.

    Args:
        classes: The classes to draw from; default: those of ``torch.optim`` and registered ones.
        gradients: What the gradients will be.
        complex_parameters: Whether some of the parameters will be complex.
        matrices: Whether some of the parameters will have two dimensions. Optimizers that take no others
            leave the rest out.
        named: Whether the optimizer is told the names of its parameters; default: both are drawn.
        min_groups: Least number of param groups.
        max_groups: Greatest number of param groups.

    Raises:
        UsageError: If no optimizer is left to draw, or the bounds are crossed.
    """
    wanted = Wanted(
        classes=None if classes is None else tuple(classes),
        gradients=gradients,
        complex_parameters=complex_parameters,
        matrices=matrices,
        named=named,
        min_groups=min_groups,
        max_groups=max_groups,
    )
    return _optimizer_recipes(wanted)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What recipes to draw; see :func:`optimizer_recipes`."""

    classes: tuple[type[Optimizer], ...] | None
    gradients: Gradients
    min_groups: int
    max_groups: int
    complex_parameters: bool = False
    matrices: bool = True
    named: bool | None = None


def draw_recipe(draw: DrawFn | AtOnce, wanted: Wanted) -> OptimizerRecipe:
    """Draw one recipe.

    Raises:
        UsageError: If no optimizer is left to draw, or the bounds are crossed.
    """
    candidates = _candidates(optimizer_kinds(), wanted)
    numbers = Numbers(draw_block(draw, PROGRAM_BLOCK))
    kind, arguments = numbers.pick(candidates)
    named = numbers.pick((False, True))
    count = wanted.min_groups + numbers.below(wanted.max_groups - wanted.min_groups + 1)
    options = draw_arguments(draw, numbers, arguments)
    per_group = kind.sparse_per_group if wanted.gradients == "sparse" else kind.per_group
    groups = () if per_group is None or count == 1 else _draw_groups(draw, numbers, options, per_group, count)
    event(f"optimizer: {kind.cls.__name__}")
    event(f"param groups: {len(groups) or 1}")
    return OptimizerRecipe(
        cls=kind.cls,
        options=options,
        groups=groups,
        named=named if wanted.named is None else wanted.named,
        gradients=wanted.gradients,
        needs_closure=kind.needs_closure,
        matrices_only=kind.matrices_only,
    )


@st.composite
def _optimizer_recipes(draw: DrawFn, wanted: Wanted) -> OptimizerRecipe:
    return draw_recipe(draw, wanted)


def _draw_groups(
    draw: DrawFn | AtOnce, numbers: Numbers, options: Options, per_group: Arguments, count: int
) -> tuple[Options, ...]:
    drawn = [draw_arguments(draw, numbers, per_group) for _ in range(count - 1)]
    if isinstance(options.get("lr"), ScalarTensor):
        drawn = [{**group, "lr": ScalarTensor(group["lr"])} if "lr" in group else group for group in drawn]
    return ({}, *drawn)


@lru_cache(maxsize=64)
def _candidates(kinds: tuple[OptimizerKind, ...], wanted: Wanted) -> tuple[tuple[OptimizerKind, Arguments], ...]:
    if not 1 <= wanted.min_groups <= wanted.max_groups:
        raise UsageError(
            f"min_groups={wanted.min_groups}, max_groups={wanted.max_groups}; they are at least 1 and ascend."
        )
    if unknown := [cls for cls in wanted.classes or () if cls not in {kind.cls for kind in kinds}]:
        name = getattr(unknown[0], "__qualname__", repr(unknown[0]))
        raise UsageError(f"There is no optimizer {name} to draw. Make it known first: register_optimizer({name}).")
    found = tuple(
        (kind, options)
        for kind in kinds
        if (wanted.classes is None or kind.cls in wanted.classes)
        and (options := _options_of(kind, wanted)) is not None
        and (wanted.matrices or not kind.matrices_only)
        and (kind.per_group is not None or wanted.min_groups == 1)
    )
    if not found:
        raise UsageError(_nothing_left(wanted))
    return found


def _options_of(kind: OptimizerKind, wanted: Wanted) -> Arguments | None:
    if wanted.complex_parameters and kind.complex is None:
        return None
    if wanted.gradients == "sparse":
        return kind.sparse
    return kind.complex if wanted.complex_parameters and kind.dense is not None else kind.dense


def _nothing_left(wanted: Wanted) -> str:
    names = "any class" if wanted.classes is None else f"classes=[{', '.join(c.__name__ for c in wanted.classes)}]"
    return (
        f"No optimizer is left to draw with {names}, gradients={wanted.gradients!r}, "
        f"complex_parameters={wanted.complex_parameters}, matrices={wanted.matrices} and "
        f"{'several param groups' if wanted.min_groups > 1 else 'one param group'}. Ask for less."
    )
