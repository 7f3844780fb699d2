"""Optimizers as data: drawn once, built as often as a run is made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from torch.nn import Parameter
from torch.optim import Optimizer

from pytest_ckpt.errors import UsageError
from pytest_ckpt.strategies.choices import Options
from pytest_ckpt.strategies.optimizer_kinds import Gradients, OptimizerKind, optimizer_kinds
from pytest_ckpt.strategies.symbols import ScalarTensor, resolve

__all__ = ["OptimizerRecipe", "optimizer_recipes"]


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


@st.composite
def optimizer_recipes(
    draw: DrawFn,
    *,
    classes: Collection[type[Optimizer]] | None = None,
    gradients: Gradients = "dense",
    complex_parameters: bool = False,
    matrices: bool = True,
    named: bool | None = None,
    min_groups: int = 1,
    max_groups: int = 3,
) -> OptimizerRecipe:
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
    if not 1 <= min_groups <= max_groups:
        raise UsageError(f"min_groups={min_groups}, max_groups={max_groups}; they are at least 1 and ascend.")
    chosen = None if classes is None else tuple(classes)
    kind, options_of_kind = draw(
        _candidates(optimizer_kinds(), chosen, gradients, complex_parameters, matrices, min_groups > 1)
    )
    options = draw(options_of_kind)
    groups = _draw_groups(draw, kind, options, min_groups, max_groups)
    event(f"optimizer: {kind.cls.__name__}")
    event(f"param groups: {max(1, len(groups))}")
    return OptimizerRecipe(
        cls=kind.cls,
        options=options,
        groups=groups,
        named=draw(st.booleans()) if named is None else named,
        gradients=gradients,
        needs_closure=kind.needs_closure,
        matrices_only=kind.matrices_only,
    )


def _draw_groups(
    draw: DrawFn, kind: OptimizerKind, options: Options, min_groups: int, max_groups: int
) -> tuple[Options, ...]:
    if kind.per_group is None:
        return ()
    count = draw(st.integers(min_groups, max_groups))
    if count == 1:
        return ()
    drawn = [dict(draw(kind.per_group)) for _ in range(count - 1)]
    if isinstance(options.get("lr"), ScalarTensor):
        drawn = [group | {"lr": ScalarTensor(group["lr"])} if "lr" in group else group for group in drawn]
    return ({}, *drawn)


@lru_cache(maxsize=64)
def _candidates(
    kinds: tuple[OptimizerKind, ...],
    classes: tuple[type[Optimizer], ...] | None,
    gradients: Gradients,
    complex_parameters: bool,
    matrices: bool,
    several_groups: bool,
) -> SearchStrategy[tuple[OptimizerKind, SearchStrategy[Options]]]:
    if unknown := [cls for cls in classes or () if cls not in {kind.cls for kind in kinds}]:
        name = getattr(unknown[0], "__qualname__", repr(unknown[0]))
        raise UsageError(f"There is no optimizer {name} to draw. Make it known first: register_optimizer({name}).")
    found = [
        (kind, options)
        for kind in kinds
        if (classes is None or kind.cls in classes)
        and (options := _options_of(kind, gradients, complex_parameters)) is not None
        and (matrices or not kind.matrices_only)
        and (kind.per_group is not None or not several_groups)
    ]
    if not found:
        names = "any class" if classes is None else f"classes=[{', '.join(cls.__name__ for cls in classes)}]"
        raise UsageError(
            f"No optimizer is left to draw with {names}, gradients={gradients!r}, "
            f"complex_parameters={complex_parameters}, matrices={matrices} and "
            f"{'several param groups' if several_groups else 'one param group'}. Ask for less."
        )
    return st.sampled_from(found)


def _options_of(kind: OptimizerKind, gradients: Gradients, complex_parameters: bool) -> SearchStrategy[Options] | None:
    if complex_parameters and kind.complex is None:
        return None
    if gradients == "sparse":
        return kind.sparse
    return kind.complex if complex_parameters and kind.dense is not None else kind.dense
