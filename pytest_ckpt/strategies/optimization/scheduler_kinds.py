"""Which schedulers there are: every one of torch, found by looking, and those registered by others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hypothesis.strategies import SearchStrategy
from torch.optim import lr_scheduler, swa_utils
from torch.optim.lr_scheduler import ChainedScheduler, LRScheduler, OneCycleLR, SequentialLR

from pytest_ckpt.errors import UsageError
from pytest_ckpt.strategies.optimization import schedule_arguments as known
from pytest_ckpt.strategies.optimization.choices import Arguments, choices_of, is_subclass, requires_argument

__all__ = ["COMPOUND", "SchedulerKind", "register_scheduler", "scheduler_kinds", "torch_schedulers"]

COMPOUND: tuple[type[LRScheduler], ...] = (ChainedScheduler, SequentialLR)
"""The schedulers made of others."""

# The first is what drawn schedulers shrink towards.
_ORDER = ("ConstantLR", "StepLR")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SchedulerKind:
    """A class of schedulers and what it may be made with.

    Attributes:
        cls: The class.
        options: Keyword arguments; ``None`` for those made of other schedulers.
        needs_metric: Whether ``step`` cannot be called without an argument.
        composable: Whether it can be a part of another scheduler.
    """

    cls: type[Any]
    options: Arguments | None
    needs_metric: bool = False
    composable: bool = False


_registered: dict[type, SchedulerKind] = {}


def scheduler_kinds(max_steps: int) -> tuple[SchedulerKind, ...]:
    """Return every kind, ConstantLR first and registered ones last, each good for so many steps."""
    return (*_torch_kinds(max_steps), *_registered.values())


def torch_schedulers() -> tuple[type[Any], ...]:
    """Return every scheduler class of torch: ConstantLR and StepLR first, those made of others last."""
    values = [*vars(lr_scheduler).values(), *vars(swa_utils).values()]
    found = {v for v in values if isinstance(v, type) and issubclass(v, LRScheduler) and v.__name__[0] != "_"}
    order = {name: index for index, name in enumerate(_ORDER)}
    return tuple(
        sorted(
            found - {LRScheduler}, key=lambda cls: (cls in COMPOUND, order.get(cls.__name__, len(order)), cls.__name__)
        )
    )


def register_scheduler(
    cls: type[Any], hyper_parameters: SearchStrategy[Mapping[str, Any]] | None = None
) -> Callable[[], None]:
    """Make drawn schedulers include those of a class, and return a function that takes it back.

    Args:
        cls: The class; its first argument is the optimizer. Where its ``step`` cannot be called without an
            argument, it is given the loss. It is drawn as a part of others too, if it is an ``LRScheduler``
            with torch's own ``step``.
        hyper_parameters: Strategy for its other arguments, as keyword arguments. By default they are inferred:
            a few values for common names such as ``gamma``, ``step_size`` and ``total_iters``, every value of
            a bool, an enumeration or a ``Literal``, and the default for the rest.

    Raises:
        UsageError: If the class is known already, is no scheduler, or an argument without a default
            cannot be inferred.
    """
    missing = [name for name in ("step", "state_dict", "load_state_dict") if not callable(getattr(cls, name, None))]
    if missing or not is_subclass(cls, object):
        raise UsageError(
            f"register_scheduler() got {cls!r}; it takes a class with the methods step, state_dict and load_state_dict."
        )
    if any(kind.cls is cls for kind in scheduler_kinds(max_steps=10)):
        raise UsageError(f"The scheduler {cls.__qualname__} is drawn already. Register a class once.")
    options: Arguments | None = hyper_parameters
    if options is None:
        options = tuple(choices_of(cls, known.COMMON, skip=("last_epoch",)).values())
    _registered[cls] = SchedulerKind(
        cls=cls,
        options=options,
        needs_metric=requires_argument(cls.step),
        composable=issubclass(cls, LRScheduler) and cls.step is LRScheduler.step,
    )

    def unregister() -> None:
        _registered.pop(cls, None)

    return unregister


@lru_cache(maxsize=16)
def _torch_kinds(max_steps: int) -> tuple[SchedulerKind, ...]:
    found = []
    for cls in torch_schedulers():
        # One of another torch may need an argument that nothing is known of; it can be registered.
        with suppress(UsageError):
            found.append(_torch_kind(cls, max_steps))
    return tuple(found)


def _torch_kind(cls: type[Any], max_steps: int) -> SchedulerKind:
    if cls in COMPOUND:
        return SchedulerKind(cls=cls, options=None)
    joint = known.one_cycle_lengths(max_steps) if cls is OneCycleLR else known.JOINT.get(cls.__name__, ())
    taken = {key for option in joint for key in option}
    found = choices_of(cls, known.TORCH, skip={"last_epoch", *taken})
    needs_metric = requires_argument(cls.step)
    return SchedulerKind(
        cls=cls,
        options=(*found.values(), *([joint] if joint else [])),
        needs_metric=needs_metric,
        composable=not needs_metric,
    )
