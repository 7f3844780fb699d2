"""Which optimizers there are: every one of ``torch.optim``, found by looking, and those registered by others."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from hypothesis.strategies import SearchStrategy
from torch.optim import Optimizer

from pytest_ckpt.errors import UsageError
from pytest_ckpt.strategies.optimization import hyper_parameters as known
from pytest_ckpt.strategies.optimization.choices import (
    Arguments,
    Choice,
    choices_of,
    is_subclass,
    requires_argument,
    without,
)

__all__ = ["Gradients", "OptimizerKind", "optimizer_kinds", "register_optimizer", "torch_optimizers"]

Gradients = Literal["dense", "sparse"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OptimizerKind:
    """A class of optimizers and what it may be made with.

    Attributes:
        cls: The class.
        dense: Keyword arguments for dense gradients; ``None`` if it takes sparse ones only.
        sparse: Keyword arguments for sparse gradients; ``None`` if it takes none.
        complex: Keyword arguments for complex parameters; ``None`` if it takes none.
        per_group: What one param group may have otherwise; ``None`` if there can be only one.
        sparse_per_group: The same for sparse gradients.
        needs_closure: Whether ``step`` cannot be called without a closure.
        matrices_only: Whether every parameter must have two dimensions.
    """

    cls: type[Optimizer]
    dense: Arguments | None
    sparse: Arguments | None = None
    complex: Arguments | None = None
    per_group: Arguments | None = None
    sparse_per_group: Arguments | None = None
    needs_closure: bool = False
    matrices_only: bool = False


_registered: dict[type, OptimizerKind] = {}

# The first is what drawn optimizers shrink towards.
_ORDER = ("SGD", "Adam", "AdamW")
_ONE_GROUP = ("LBFGS",)
_SPARSE_ONLY = ("SparseAdam",)
_MATRICES_ONLY = ("Muon",)
_NO_COMPLEX = ("Adafactor", "Muon", "SparseAdam")


def optimizer_kinds() -> tuple[OptimizerKind, ...]:
    """Return every kind, plain SGD first and registered ones last."""
    return (*_torch_kinds(), *_registered.values())


def torch_optimizers() -> tuple[type[Optimizer], ...]:
    """Return every optimizer class of ``torch.optim``, SGD first."""
    values = [value for value in vars(torch.optim).values() if isinstance(value, type)]
    found = {value for value in values if issubclass(value, Optimizer) and value is not Optimizer}
    order = {name: index for index, name in enumerate(_ORDER)}
    return tuple(sorted(found, key=lambda cls: (order.get(cls.__name__, len(order)), cls.__name__)))


def register_optimizer(
    cls: type[Optimizer],
    hyper_parameters: SearchStrategy[Mapping[str, Any]] | None = None,
    *,
    gradients: Iterable[Gradients] = ("dense",),
    complex_parameters: bool = False,
    param_groups: bool = True,
    matrices_only: bool = False,
) -> Callable[[], None]:
    """Make drawn optimizers include those of a class, and return a function that takes it back.

    Args:
        cls: The class; its first argument are the parameters. Where its ``step`` cannot be called without an
            argument, it is given a closure.
        hyper_parameters: Strategy for its other arguments, as keyword arguments. By default they are inferred:
            a few values for ``lr``, ``betas``, ``eps``, ``weight_decay`` and ``momentum``, every value of a bool,
            an enumeration or a ``Literal``, and the default for the rest.
        gradients: Which gradients it takes: ``"dense"``, ``"sparse"`` or both.
        complex_parameters: Whether it takes complex parameters.
        param_groups: Whether it can have several param groups.
        matrices_only: Whether every parameter must have two dimensions.

    Raises:
        UsageError: If the class is known already, is no optimizer, or an argument without a default
            cannot be inferred.
    """
    if not is_subclass(cls, Optimizer):
        raise UsageError(f"register_optimizer() got {cls!r}; it takes a subclass of torch.optim.Optimizer.")
    if any(kind.cls is cls for kind in optimizer_kinds()):
        raise UsageError(f"The optimizer {cls.__qualname__} is drawn already. Register a class once.")
    if not (takes := set(gradients)) or not takes <= {"dense", "sparse"}:
        raise UsageError(f"gradients={gradients!r}; it names at least one of 'dense' and 'sparse'.")
    options: Arguments
    per_group: Arguments
    if hyper_parameters is None:
        found = choices_of(cls, known.COMMON, skip=known.IMPLEMENTATION)
        options, per_group = _joined(found), _per_group(found)
    else:
        options = hyper_parameters
        per_group = options.map(lambda drawn: {key: drawn[key] for key in known.PER_GROUP if key in drawn})
    _registered[cls] = OptimizerKind(
        cls=cls,
        dense=options if "dense" in takes else None,
        sparse=options if "sparse" in takes else None,
        complex=options if complex_parameters else None,
        per_group=per_group if param_groups else None,
        sparse_per_group=per_group if param_groups else None,
        needs_closure=requires_argument(cls.step),
        matrices_only=matrices_only,
    )

    def unregister() -> None:
        _registered.pop(cls, None)

    return unregister


@cache
def _torch_kinds() -> tuple[OptimizerKind, ...]:
    found = []
    for cls in torch_optimizers():
        # One of another torch may need an argument that nothing is known of; it can be registered.
        with suppress(UsageError):
            found.append(_torch_kind(cls))
    return tuple(found)


def _torch_kind(cls: type[Optimizer]) -> OptimizerKind:
    name = cls.__name__
    found = choices_of(cls, known.TORCH, skip=known.IMPLEMENTATION)
    choices = (*_joined(found), _implementations(cls))
    sparse = known.NOT_WITH_SPARSE.get(name)
    return OptimizerKind(
        cls=cls,
        dense=None if name in _SPARSE_ONLY else choices,
        sparse=None if sparse is None else without(choices, sparse),
        complex=None if name in _NO_COMPLEX else without(choices, ("fused",)),
        per_group=None if name in _ONE_GROUP else _per_group(found),
        sparse_per_group=None if sparse is None else without(_per_group(found), sparse),
        needs_closure=requires_argument(cls.step),
        matrices_only=name in _MATRICES_ONLY,
    )


def _joined(found: Mapping[str, Choice]) -> tuple[Choice, ...]:
    if {"nesterov": True} not in found.get("nesterov", ()):
        return tuple(found.values())
    taken = {key for option in known.NESTEROV for key in option}
    joint = tuple(option for option in known.NESTEROV if option.keys() <= found.keys())
    return (*(choice for key, choice in found.items() if key not in taken), joint)


def _per_group(found: Mapping[str, Choice]) -> tuple[Choice, ...]:
    return tuple(found[key] for key in known.PER_GROUP if key in found)


def _implementations(cls: type[Optimizer]) -> Choice:
    parameters = inspect.signature(cls).parameters
    tensor_lr = "Tensor" in str(parameters["lr"].annotation) if "lr" in parameters else False
    return known.implementations(cls.__name__, foreach="foreach" in parameters, tensor_lr=tensor_lr)
