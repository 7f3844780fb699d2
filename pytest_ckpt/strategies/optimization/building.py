"""Optimizers and schedulers themselves, drawn over what they are made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from torch.nn import Parameter
from torch.optim import Optimizer

from pytest_ckpt.errors import UsageError
from pytest_ckpt.strategies.optimization.optimizer_kinds import Gradients
from pytest_ckpt.strategies.optimization.optimizer_recipes import Wanted, draw_recipe
from pytest_ckpt.strategies.optimization.scheduler_recipes import scheduler_recipes

__all__ = ["optimizers", "schedulers", "strategy_of"]

T = TypeVar("T")
Parameters: TypeAlias = Iterable[Parameter | tuple[str, Parameter]]


def optimizers(
    parameters: SearchStrategy[Parameters] | Parameters,
    *,
    classes: Collection[type[Optimizer]] | None = None,
    gradients: Gradients = "dense",
    min_groups: int = 1,
    max_groups: int = 3,
) -> SearchStrategy[Optimizer]:
    """Generate optimizers of ``torch.optim`` and registered ones, with valid hyper-parameters.

    Shrinks towards ``torch.optim.SGD(parameters)``, plain and with one param group.

    ``step`` of ``torch.optim.LBFGS`` must be given a closure; ``classes`` leaves it out. ``torch.optim.Muon``
    optimizes those of the parameters that have two dimensions.

    Args:
        parameters: What to optimize, at least one parameter: parameters, or pairs of name and parameter, which
            the optimizer is then told; or a strategy for them. Where it is no strategy, every optimizer drawn
            has the same parameters.
        classes: The classes to draw from; default: those of ``torch.optim`` and registered ones.
        gradients: What the gradients will be. With ``"sparse"`` ones, as those of ``torch.nn.Embedding`` with
            ``sparse=True``, few optimizers work, and ``torch.optim.SparseAdam`` is drawn with these alone.
        min_groups: Least number of param groups; bounded by the number of parameters.
        max_groups: Greatest number of param groups; bounded by the number of parameters.

    Raises:
        UsageError: If there is no parameter, no optimizer is left to draw, or the bounds are crossed.
    """
    if not isinstance(parameters, SearchStrategy):
        # An iterator, such as model.parameters(), would be empty from the second example on.
        parameters = st.just(tuple(parameters))
    wanted = Wanted(
        classes=None if classes is None else tuple(classes),
        gradients=gradients,
        min_groups=min_groups,
        max_groups=max_groups,
    )
    return _optimizers(parameters, wanted)


def schedulers(
    optimizer: SearchStrategy[Optimizer] | Optimizer,
    *,
    classes: Collection[type[Any]] | None = None,
    max_steps: int = 20,
    max_parts: int = 3,
) -> SearchStrategy[Any]:
    """Generate schedulers of torch and registered ones, with valid arguments.

    Shrinks towards ``ConstantLR(optimizer)``.

    ``step`` of ``ReduceLROnPlateau`` must be given the loss; ``classes`` leaves it out.

    Args:
        optimizer: What to schedule, or a strategy for it. A scheduler sets the learning rates of its optimizer
            as soon as it is made: draw the optimizer too where several examples must not share one.
        classes: The classes to draw from; default: those of torch and registered ones. The parts of those
            made of others are drawn from all that can be one.
        max_steps: How often ``step`` can be called at least; ``OneCycleLR`` raises at some point after that.
        max_parts: Greatest number of parts of ``ChainedScheduler`` and ``SequentialLR``.

    Raises:
        UsageError: If a class is not known, or a number is less than 1.
    """
    recipes = scheduler_recipes(classes=classes, max_steps=max_steps, max_parts=max_parts)
    return st.builds(lambda recipe, made: recipe.build(made), recipes, strategy_of(optimizer))


def strategy_of(value: SearchStrategy[T] | T) -> SearchStrategy[T]:
    """Return a strategy as it is, and anything else as the strategy for just that."""
    return value if isinstance(value, SearchStrategy) else st.just(value)


@st.composite
def _optimizers(draw: DrawFn, parameters: SearchStrategy[Parameters], wanted: Wanted) -> Optimizer:
    given = list(draw(parameters))
    if not given:
        raise UsageError("optimizers() got no parameters. Give it at least one.")
    pairs = [item if isinstance(item, tuple) else (str(index), item) for index, item in enumerate(given)]
    fitting = replace(
        wanted,
        complex_parameters=any(parameter.is_complex() for _, parameter in pairs),
        matrices=any(parameter.ndim == 2 for _, parameter in pairs),
        named=isinstance(given[0], tuple),
        min_groups=min(wanted.min_groups, len(pairs)),
        max_groups=min(wanted.max_groups, len(pairs)),
    )
    return draw_recipe(draw, fitting).build(pairs)
