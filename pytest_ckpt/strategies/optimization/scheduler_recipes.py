"""Schedulers as data: drawn once, built as often as a run is made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR, SequentialLR

from pytest_ckpt.errors import UsageError
from pytest_ckpt.strategies.optimization.choices import Options, draw_arguments
from pytest_ckpt.strategies.optimization.scheduler_kinds import SchedulerKind, scheduler_kinds
from pytest_ckpt.strategies.optimization.symbols import resolve
from pytest_ckpt.strategies.state.drawing import PROGRAM_BLOCK, AtOnce, Numbers, draw_block

__all__ = ["SchedulerRecipe", "draw_scheduler", "scheduler_recipes"]


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class SchedulerRecipe:
    """A scheduler that can be built any number of times.

    Attributes:
        cls: The class.
        options: Its keyword arguments. ``cycle_momentum`` is on where the optimizer has a momentum to cycle.
        parts: The schedulers that it is made of, if it is.
        milestones: The steps at which one part follows another.
        needs_metric: Whether ``step`` must be given the loss.
    """

    cls: type[Any]
    options: Options
    parts: tuple[SchedulerRecipe, ...] = ()
    milestones: tuple[int, ...] = ()
    needs_metric: bool = False

    def build(self, optimizer: Optimizer) -> Any:
        """Make a scheduler of an optimizer; that sets the optimizer's learning rates."""
        # Now, because each part that is made changes them.
        return self._build(optimizer, [float(group["lr"]) for group in optimizer.param_groups])

    def _build(self, optimizer: Optimizer, rates: list[float]) -> Any:
        parts = [part._build(optimizer, rates) for part in self.parts]
        if self.cls is SequentialLR:
            return self.cls(optimizer, parts, list(self.milestones))
        if parts:
            return self.cls(parts)
        options = resolve(self.options, rates)
        if issubclass(self.cls, CyclicLR | OneCycleLR) and not optimizer.defaults.keys() & {"momentum", "betas"}:
            options["cycle_momentum"] = False
        return self.cls(optimizer, **options)

    def __repr__(self) -> str:
        parts = f"[{', '.join(map(repr, self.parts))}]"
        arguments = [f"{key}={value!r}" for key, value in self.options.items()]
        if self.cls is SequentialLR:
            arguments = ["optimizer", parts, f"milestones={list(self.milestones)}"]
        else:
            arguments.insert(0, parts if self.parts else "optimizer")
        return f"{self.cls.__qualname__}({', '.join(arguments)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # Hypothesis would print every field of a dataclass


@st.composite
def scheduler_recipes(
    draw: DrawFn, *, classes: Collection[type[Any]] | None = None, max_steps: int = 20, max_parts: int = 3
) -> SchedulerRecipe:
    """Generate recipes of schedulers.

    Shrinks towards ``ConstantLR(optimizer)``.

    Args:
        classes: The classes to draw from; default: those of torch and registered ones. The parts of those
            made of others are drawn from all that can be one.
        max_steps: How often ``step`` can be called at least; ``OneCycleLR`` raises at some point after that.
        max_parts: Greatest number of parts of ``ChainedScheduler`` and ``SequentialLR``.

    Raises:
        UsageError: If a class is not known, or a number is less than 1.
    """
    return draw_scheduler(draw, None if classes is None else tuple(classes), max_steps, max_parts)


def draw_scheduler(
    draw: DrawFn | AtOnce, classes: tuple[type[Any], ...] | None, max_steps: int, max_parts: int
) -> SchedulerRecipe:
    """Draw one recipe; see :func:`scheduler_recipes`.

    Raises:
        UsageError: If a class is not known, or a number is less than 1.
    """
    if max_steps < 1 or max_parts < 1:
        raise UsageError(f"max_steps={max_steps}, max_parts={max_parts}; they are at least 1.")
    kinds = scheduler_kinds(max_steps)
    among = _among(kinds, classes)
    numbers = Numbers(draw_block(draw, PROGRAM_BLOCK))
    kind = numbers.pick(among)
    count, gaps = 1 + numbers.below(max_parts), [1 + gap for gap in numbers.many(max_parts - 1, 3)]
    event(f"scheduler: {kind.cls.__name__}")
    if kind.options is not None:
        return _draw_single(draw, numbers, kind)
    composable = _composable(kinds)
    parts = tuple(_draw_single(draw, numbers, numbers.pick(composable)) for _ in range(count))
    milestones = tuple(accumulate(gaps[: count - 1])) if kind.cls is SequentialLR else ()
    return SchedulerRecipe(cls=kind.cls, options={}, parts=parts, milestones=milestones)


def _draw_single(draw: DrawFn | AtOnce, numbers: Numbers, kind: SchedulerKind) -> SchedulerRecipe:
    assert kind.options is not None, "parts are not made of others"
    options = draw_arguments(draw, numbers, kind.options)
    return SchedulerRecipe(cls=kind.cls, options=options, needs_metric=kind.needs_metric)


@lru_cache(maxsize=64)
def _among(kinds: tuple[SchedulerKind, ...], classes: tuple[type[Any], ...] | None) -> tuple[SchedulerKind, ...]:
    if classes is None:
        return kinds
    known = {kind.cls for kind in kinds}
    if unknown := [getattr(cls, "__qualname__", repr(cls)) for cls in classes if cls not in known]:
        raise UsageError(
            f"There is no scheduler {unknown[0]} to draw. Make it known first: register_scheduler({unknown[0]})."
        )
    if not classes:
        raise UsageError("classes=(); name at least one scheduler to draw.")
    return tuple(kind for kind in kinds if kind.cls in classes)


@lru_cache(maxsize=64)
def _composable(kinds: tuple[SchedulerKind, ...]) -> tuple[SchedulerKind, ...]:
    return tuple(kind for kind in kinds if kind.composable)
