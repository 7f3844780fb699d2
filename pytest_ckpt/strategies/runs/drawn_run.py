"""``DrawnRun``: a whole training program as data; calling it makes the program anew."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from pytest_ckpt.runs import TrainingRun
from pytest_ckpt.strategies.networks.calls import ModuleRecipe
from pytest_ckpt.strategies.optimization.companions import AveragingRecipe, ScalerRecipe
from pytest_ckpt.strategies.optimization.optimizer_recipes import OptimizerRecipe
from pytest_ckpt.strategies.optimization.scheduler_recipes import SchedulerRecipe
from pytest_ckpt.strategies.runs.drawn_trainer import DrawnTrainer

__all__ = ["DrawnRun", "Part"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One model, and what trains it.

    Attributes:
        model: The model.
        optimizer: Its optimizer, over the parameters that are not frozen.
        scheduler: The schedule of the optimizer, if there is one.
    """

    model: ModuleRecipe
    optimizer: OptimizerRecipe
    scheduler: SchedulerRecipe | None = None


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class DrawnRun:
    """A ``make_run``: each call makes the same program, with weights drawn from torch's global generator.

    Attributes:
        parts: The models, each with its optimizer.
        data: Where the order of the batches comes from: the number of the step, a permutation drawn from torch's
            global generator for each epoch, or one drawn from a generator of its own.
        noise: Whose random numbers augment the data; empty for none.
        accumulate: Batches whose gradients make one step.
        clip: How gradients are clipped; empty for not at all.
        averaging: Averaged weights of the first model.
        scaler: The scaler of the gradients.
        saves: Whether the program has a ``save`` and a ``load`` of its own.
    """

    parts: tuple[Part, ...]
    data: Literal["by number", "shuffled", "own generator"] = "by number"
    noise: Literal["", "torch", "python"] = ""
    accumulate: int = 1
    clip: Literal["", "norm", "value"] = ""
    averaging: AveragingRecipe | None = None
    scaler: ScalerRecipe | None = None
    saves: bool = False

    def __call__(self) -> TrainingRun:
        """Make the program."""
        trainer = DrawnTrainer(self)
        own: dict[str, Any] = {"save": trainer.save, "load": trainer.load} if self.saves else {}
        return TrainingRun(
            components=trainer.components, step=trainer.step, predict=trainer.predict, name="drawn run", **own
        )

    def __repr__(self) -> str:
        given = [(item.name, getattr(self, item.name)) for item in fields(self) if item.name != "parts"]
        defaults = {item.name: item.default for item in fields(self)}
        settings = [f"{name}={value!r}" for name, value in given if value != defaults[name]]
        return f"DrawnRun({', '.join([f'parts={self.parts!r}', *settings])})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis would print the fields, the defaults among them.
        printer.text(repr(self))
