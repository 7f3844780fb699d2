"""What trains beside a model and its optimizer: gradient scalers and averaged weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from torch.amp.grad_scaler import GradScaler
from torch.nn import Module
from torch.optim import swa_utils
from torch.optim.swa_utils import AveragedModel

from pytest_ckpt.strategies.optimization.building import strategy_of
from pytest_ckpt.strategies.optimization.choices import Choice, Options
from pytest_ckpt.strategies.state.drawing import PROGRAM_BLOCK, Numbers, draw_block

__all__ = [
    "AVERAGING",
    "AveragingRecipe",
    "ScalerRecipe",
    "averaged_models",
    "averaging_recipes",
    "pick_scaling",
    "scaler_recipes",
    "scalers",
]


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class ScalerRecipe:
    """A gradient scaler for the CPU that can be built any number of times.

    Attributes:
        options: Its keyword arguments.
    """

    options: Options

    def build(self) -> GradScaler:
        """Make the scaler."""
        return GradScaler("cpu", **self.options)

    def __repr__(self) -> str:
        arguments = ["'cpu'", *(f"{key}={value!r}" for key, value in self.options.items())]
        return f"torch.amp.GradScaler({', '.join(arguments)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # Hypothesis would print every field of a dataclass


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class AveragingRecipe:
    """Averaged weights that can be made of a model any number of times.

    Attributes:
        function: What makes the averaging function, by its name in ``torch.optim.swa_utils``; empty for none.
        decay: The decay of an exponential average; ``None`` for an equal one.
        use_buffers: Whether buffers are averaged as well.
    """

    function: str = ""
    decay: float | None = None
    use_buffers: bool = False

    def build(self, model: Module) -> AveragedModel:
        """Make the averaged copy of a model."""
        arguments = () if self.decay is None else (self.decay,)
        options = {self._keyword: getattr(swa_utils, self.function)(*arguments)} if self.function else {}
        return AveragedModel(model, use_buffers=self.use_buffers, **options)

    @property
    def _keyword(self) -> str:
        return "multi_avg_fn" if "multi" in self.function else "avg_fn"

    def __repr__(self) -> str:
        decay = "" if self.decay is None else repr(self.decay)
        function = [f"{self._keyword}={self.function}({decay})"] if self.function else []
        return f"AveragedModel({', '.join(['model', *function, f'use_buffers={self.use_buffers}'])})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # Hypothesis would print every field of a dataclass


# Powers of two: they scale without rounding.
_SCALING: tuple[Choice, ...] = (
    ({}, {"init_scale": 1.0}, {"init_scale": 1024.0}),
    ({}, {"growth_factor": 4.0}),
    ({}, {"backoff_factor": 0.25}),
    ({}, {"growth_interval": 1}, {"growth_interval": 2}),
    ({}, {}, {}, {"enabled": False}),
)


@st.composite
def scaler_recipes(draw: DrawFn) -> ScalerRecipe:
    """Generate recipes of gradient scalers for the CPU.

    Shrinks towards torch's defaults.
    """
    return pick_scaling(Numbers(draw_block(draw, PROGRAM_BLOCK)))


def pick_scaling(numbers: Numbers) -> ScalerRecipe:
    """Return the recipe of a gradient scaler that the numbers decide on."""
    return ScalerRecipe(options={key: value for choice in _SCALING for key, value in numbers.pick(choice).items()})


def scalers() -> SearchStrategy[GradScaler]:
    """Generate gradient scalers for the CPU, now and then a disabled one, whose state is empty.

    Shrinks towards torch's defaults.
    """
    return scaler_recipes().map(_built_scaler)


_FUNCTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"function": "get_ema_multi_avg_fn", "decay": 0.9},
    {"function": "get_ema_multi_avg_fn", "decay": 0.5},
    {"function": "get_ema_avg_fn", "decay": 0.9},
    {"function": "get_swa_avg_fn"},
)
AVERAGING: tuple[AveragingRecipe, ...] = (
    *(AveragingRecipe(**function, use_buffers=use) for function in _FUNCTIONS for use in (False, True)),
    # It refuses integers to average, and a batch norm counts its batches in a buffer.
    AveragingRecipe(function="get_swa_multi_avg_fn"),
)
"""Every way to average, the simplest first."""


def averaging_recipes() -> SearchStrategy[AveragingRecipe]:
    """Generate recipes of averaged weights: equal (SWA) and exponential (EMA), with and without buffers.

    Shrinks towards ``AveragedModel(model)``.
    """
    return st.sampled_from(AVERAGING)


def averaged_models(model: SearchStrategy[Module] | Module) -> SearchStrategy[AveragedModel]:
    """Generate averaged copies of a model: ``torch.optim.swa_utils.AveragedModel``, equal (SWA) or exponential (EMA).

    Shrinks towards ``AveragedModel(model)``.

    Args:
        model: The model, or a strategy for it. It must be one that can be deep-copied.
    """
    return st.builds(_built_average, averaging_recipes(), strategy_of(model))


def _built_scaler(recipe: ScalerRecipe) -> GradScaler:
    event(f"scaler: {'enabled' if recipe.options.get('enabled', True) else 'disabled'}")
    return recipe.build()


def _built_average(recipe: AveragingRecipe, model: Module) -> AveragedModel:
    event(f"averages: {'equal' if recipe.decay is None else 'exponential'}")
    return recipe.build(model)
